// Names of pieces: state that is too large for one binding is several states, each some rows of it: `embed.table[0:4096]`, and what
// belongs to a piece is called after it: `embed.table[0:4096]#adamw.m`. Outside of plans the whole has one name.

/** Rows `first` to `end`, the last one not included, of the state `of`. */
export interface StatePiece {
  readonly of: string;
  readonly first: number;
  readonly end: number;
}

/** The name of a piece of a state. */
export function pieceName({ of, first, end }: StatePiece): string {
  const [owner, ...suffixes] = of.split("#");
  return [`${owner}[${first}:${end}]`, ...suffixes].join("#");
}

/** What a state's name says: the piece that it is, or nothing where it is whole. Paths of models have no brackets. */
export function pieceOf(name: string): StatePiece | undefined {
  const found = /^([^[\]]*)\[(\d+):(\d+)\](#.*)?$/.exec(name);
  if (found === null) return undefined;
  const [, owner = "", first, end, suffix = ""] = found;
  return { of: `${owner}${suffix}`, first: Number(first), end: Number(end) };
}

/** The name of the whole that a state is, or is a piece of. */
export const wholeName = (name: string): string => pieceOf(name)?.of ?? name;
