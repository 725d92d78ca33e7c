/** The player of shared pages: one script and one sheet, which `trackway share` puts into its file. */
import { defineConfig } from 'vite'

export default defineConfig({
  publicDir: false,
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: '../src/trackway/replay/static',
    emptyOutDir: true,
    target: 'es2022',
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
    lib: { entry: 'src/replay/share.tsx', formats: ['iife'], name: 'trackway', fileName: () => 'player.js', cssFileName: 'player' },
  },
})
