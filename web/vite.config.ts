import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** Where `npm run dev` finds a hub that runs with DEMO=true. */
const hub = process.env["HUB_URL"] ?? "http://localhost:3000";

export default defineConfig({
  base: "/demo/",
  resolve: {
    // The client's sources, with the page's own socket.io-client.
    alias: { "@convoke/client": fileURLToPath(new URL("../clients/typescript/src/index.ts", import.meta.url)) },
    dedupe: ["socket.io-client"],
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // One stylesheet, one script, and LiveKit's client as one more for those who join a room; the binary embeds the folder.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/socket.io": { target: hub, ws: true },
      "/demo/token": hub,
      "/demo/sos": hub,
      "/demo/holder": hub,
      "/demo/interview": hub,
      "/media": hub,
      "/api": hub,
    },
  },
});
