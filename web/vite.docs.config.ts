import { defineConfig, type Plugin } from "vite";
import { guides, index, page, shell } from "./docs/guides.ts";

/** Where `npm run dev:docs` finds a hub. */
const hub = process.env["HUB_URL"] ?? "http://localhost:3000";

/** Puts the frame of every page around its body, and makes a page of each guide. */
function documents(): Plugin {
  return {
    name: "documents",
    transformIndexHtml: { order: "pre", handler: (html, { filename }) => shell(html, filename) },
    generateBundle() {
      for (const guide of guides()) {
        this.emitFile({ type: "asset", fileName: `guides/${guide.name}.html`, source: page(guide) });
      }
      this.emitFile({ type: "asset", fileName: "search.json", source: JSON.stringify(index()) });
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url === "/docs/search.json") return response.end(JSON.stringify(index()));
        const name = /^\/docs\/guides\/([a-z-]+)$/.exec(request.url ?? "")?.[1];
        const guide = guides().find((one) => one.name === name);
        if (!guide) return next();
        response.setHeader("content-type", "text/html; charset=utf-8");
        response.end(page(guide));
      });
    },
  };
}

export default defineConfig({
  root: "docs",
  base: "/docs/",
  plugins: [documents()],
  build: {
    outDir: "../dist-docs",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2_000,
    rollupOptions: { input: ["docs/index.html", "docs/openapi.html", "docs/asyncapi.html", "docs/search.html"] },
  },
  server: { proxy: { "/openapi.json": hub, "/asyncapi.json": hub } },
});

