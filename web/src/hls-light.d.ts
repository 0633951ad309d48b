// The package types only its whole build; the light one is the same player with fewer formats.
declare module 'hls.js/light' {
  export { default } from 'hls.js';
}
