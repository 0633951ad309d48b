// Between the clock on the wall and the clock of the media: a playlist's fragments know both. Pure.

/** One fragment of a playlist. */
export interface Piece {
  /** Where it begins in the media, in seconds. */
  start: number;
  /** How long it is, in seconds. */
  duration: number;
  /** When it begins on the wall, in milliseconds since 1970. */
  wall: number;
}

/** Where in the media a moment is; in a gap, the beginning of what follows. Null behind the last piece. */
export function mediaAt(pieces: readonly Piece[], wall: number): number | null {
  for (const piece of pieces) {
    const into = (wall - piece.wall) / 1000;
    if (into < 0) return piece.start;
    if (into < piece.duration) return piece.start + into;
  }
  return null;
}

/** When a place in the media was; null where there are no pieces. */
export function wallAt(pieces: readonly Piece[], media: number): number | null {
  const piece = pieces.findLast((one) => one.start <= media + 1e-6) ?? pieces[0];
  return piece ? piece.wall + Math.max(0, media - piece.start) * 1000 : null;
}
