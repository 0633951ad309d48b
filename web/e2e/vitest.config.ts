import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    // The first start makes a database cluster; a small board takes its time for that.
    hookTimeout: 180_000,
    testTimeout: 120_000,
    fileParallelism: false,
  },
});
