// Diagnostic codes of the command line.
import { explain, sh } from "./explanation.ts";

export const commandErrors = explain({
  bug: {
    meaning: "Bitloom itself failed.",
    text: "This is not the fault of your input. Please report it with the file that the help names, which reproduces it.",
  },
  "file-system": {
    meaning: "The operating system refused to read or write a file.",
    text: "A right is missing, the disk is full, or a file stands where a folder is needed.",
  },
  "not-formatted": {
    meaning: "`bitloom fmt --check` found a file that is not in its one form.",
    text: "`bitloom fmt FILE` formats it in place.",
  },
  "unknown-code": {
    meaning: "There is no diagnostic of this code.",
    text: "`bitloom explain` lists all codes. A code stands in brackets behind `error` or `warning`.",
    example: sh("bitloom explain shape-mismach", "bitloom explain shape-mismatch"),
  },
  usage: {
    meaning: "The command line is not one that Bitloom knows.",
    text: "`bitloom help COMMAND` prints the arguments and options of a command.",
    example: sh("bitloom explain --jsonn", "bitloom explain --json"),
  },
  "wrong-file": {
    meaning: "A command takes files of another kind.",
    text: "`bitloom opt` takes IR (.loomir), `bitloom fmt` models (.loom); `bitloom ir` makes IR of a model, and prints IR in its one form. `bitloom plan --fusion` takes what has no numbers of kernels yet.",
    example: sh("bitloom opt models/mlp.loom", "bitloom ir models/mlp.loom"),
  },
});
