/** A typed client of the Convoke hub. Each part has an entry of its own too: `/incidents`, `/interviews`, `/rest`. */
export * from "./incidents/index.js";
export * from "./interviews/index.js";
export * from "./rest/index.js";
