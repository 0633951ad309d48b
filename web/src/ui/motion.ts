/** The calm duration in milliseconds; nothing moves for those who ask for that. */
export function calm(): number {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 180;
}
