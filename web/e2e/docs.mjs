// The documents of a hub: every route, every event and every guide is shown, on a wide screen and a narrow one, in both colour schemes,
// and nothing is asked of another host.
//
// DEMO_URL, CHROMIUM, SCREENSHOTS as in harness.mjs; the documents are at the same host.

import { base, fact, openPage, picture, same, tell, until, widths } from "./harness.mjs";

const host = new URL(base).origin;
const at = (path) => `${host}${path}`;
const read = async (path) => (await fetch(at(path))).json();
const count = (page, selector) => page.locator(selector).count();

await tell(async () => {
  const [openapi, asyncapi] = [await read("/openapi.json"), await read("/asyncapi.json")];
  const routes = Object.values(openapi.paths).flatMap((methods) => Object.keys(methods)).length;
  const events = Object.keys(asyncapi.operations ?? {}).length;

  for (const [name, width, height, colorScheme] of [["wide", 1280, 900, "light"], ["narrow", 390, 844, "light"], ["dark", 1280, 900, "dark"]]) {
    const page = await openPage({}, { width, height, colorScheme, at: at("/docs") });
    const strangers = [];
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== host) strangers.push(request.url());
    });
    const fits = async (what) => fact(`${name}: ${what} fits`, async () => {
      const seen = await widths(page);
      same(seen.page <= seen.limit, true);
    });

    const guides = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    await fact(`${name}: there are guides`, () => same(guides.length > 8, true));
    await fits("the first page");
    await picture(page, `docs-${name}`);

    await page.goto(at("/docs/openapi"));
    await fact(`${name}: every route is shown`, () => until("all routes", async () => (await count(page, ".opblock")) === routes,
      { seen: () => count(page, ".opblock") }));
    await fact(`${name}: the viewer has nothing to complain about`, async () => same(await count(page, ".swagger-ui .errors-wrapper, .version-pragma__message"), 0));
    await fact(`${name}: a route opens`, async () => {
      await page.locator(".opblock-summary-control").first().click();
      await page.locator(".opblock-body").first().waitFor();
    });
    await fits("the page of routes");
    await picture(page, `docs-openapi-${name}`);

    await page.goto(at("/docs/asyncapi"));
    await fact(`${name}: every event is shown`, () => until("all events", async () => (await count(page, "details.operation")) === events,
      { seen: () => count(page, "details.operation") }));
    await page.locator("details.operation").evaluateAll((all) => all.slice(0, 3).forEach((one) => (one.open = true)));
    await fits("the page of events");
    await picture(page, `docs-asyncapi-${name}`);
    await fact(`${name}: the events are filtered`, async () => {
      await page.getByLabel("Filter the events").fill("VERSION_CONFLICT");
      const left = await page.locator("details.operation:not([hidden]) > summary code").evaluateAll((names) => names.map((name) => name.textContent));
      same(left.includes("editor:update") && left.length < 5, true);
    });

    // With the keyboard alone: the box, the words, the first place.
    for (const [words, kind, wanted] of [["INVALID_LOCATION", "event", "location:update"], ["realtime sessions list", "route", "GET /v1/realtime/sessions"], ["version_conflict", "guide", "Interviews"]]) {
      await fact(`${name}: the search finds a ${kind}`, async () => {
        await page.goto(at("/docs"));
        await page.getByLabel("Search the documents").focus();
        await page.keyboard.type(words);
        await page.keyboard.press("Enter");
        const found = page.locator(".found a", { hasText: wanted }).first();
        await found.waitFor();
        const to = await found.getAttribute("href");
        await found.focus();
        await page.keyboard.press("Enter");
        await until("the place", async () => page.url().startsWith(at(to.split("#")[0])));
      });
    }
    await page.goto(at("/docs/search?q=qwertz"));
    await fact(`${name}: what is nowhere is not found`, () => page.getByText("Nothing was found.").waitFor());
    await fits("the page of what was found");

    for (const guide of name === "narrow" ? guides : guides.slice(0, 2)) {
      const answer = await page.goto(at(guide));
      await fact(`${name}: ${guide} is there`, async () => {
        same(answer?.status(), 200);
        same((await page.locator("article.guide h1").count()) >= 1, true);
        // Its contents stand beside it, and lead to its parts.
        const parts = await page.locator("nav .parts a").evaluateAll((links) => links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1)))?.tagName));
        same(parts.every((tag) => tag === "H1" || tag === "H2"), true);
      });
      await fits(guide);
    }
    await picture(page, `docs-guide-${name}`);
    await fact(`${name}: nothing was asked of another host`, () => same(strangers, []));
  }
});
