// Diagnostic codes of data: corpora, tokenizers, arrays.
import { explain } from "./explanation.ts";

export const dataErrors = explain({
  "bad-jsonl": {
    meaning: "A line of a JSONL corpus is no JSON object with the wanted field.",
    text: "Every line that is not blank holds one object, whose `field` (by default `text`) is a string.",
  },
  "bad-npy": {
    meaning: "A file is no NumPy array, or one of a kind that is not read.",
    text: "Arrays of numbers in C order are read, of versions 1 to 3 of the format.",
  },
  "bad-tokenizer": {
    meaning: "A `tokenizer.json` cannot be used.",
    text: "`bitloom tokenizer CORPUS` makes one; those of Hugging Face's library are read too, as far as that library understands them.",
  },
  "data-value": {
    meaning: "A number in a data file does not fit the array that the recipe asks for.",
    text: "Files of other types are converted only where no value changes; the message names the first that would.",
  },
  "empty-corpus": {
    meaning: "A corpus holds no text.",
    text: "Of a folder only files with the known endings are read; the help names them.",
  },
  "not-text": {
    meaning: "A text is not encoded in UTF-8, which a trained tokenizer needs.",
    text: "`tokenizer = bytes` takes any data.",
  },
  "out-of-vocabulary": {
    meaning: "A corpus has tokens that the tokenizer or the model does not know.",
    text: "The model's table of tokens needs as many rows as the tokenizer has tokens: `--set model.vocab=...`.",
  },
  "short-corpus": {
    meaning: "A corpus has fewer tokens than one window.",
    text: "The recipe's array says how long a window is. Both the training part and the held-out part need at least one.",
  },
});
