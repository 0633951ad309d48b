import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Where a developer's larderd answers. The Host header is kept, so that its same-origin check passes.
const hub = process.env['LARDER_HTTP'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // hls.js, loaded only where recordings are played, is one piece of about 350 kB.
    chunkSizeWarningLimit: 400,
    reportCompressedSize: false,
    // Files, never data: URLs, so that the content security policy needs no exception.
    assetsInlineLimit: 0,
  },
  server: {
    proxy: {
      '^/larder\\.v1\\..*': { target: hub },
      '^/hls/.*': { target: hub },
      '^/cameras/[^/]+/(live|stream\\.mjpeg|snapshot\\.jpg)': { target: hub, ws: true },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
