// A Convex deployment for tests: the real functions on convex-test, behind Convex's HTTP interface.
//
//   node server.mjs --key KEY --read-only-key KEY [--schema ours|app|watched] [--without-functions]
//     [--functions DIR] [--convex PACKAGE]
//
// It prints one line of JSON with its address, and ends when its standard input does, so that it
// never outlives the test run that started it. `/test/*` is for tests only; all else answers as
// Convex does. What it has not: conflicts between mutations, rate limits, and calls without a key.

import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { indexed } from "./indexed.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const BODY_LIMIT = 16 * 2 ** 20;

// Which table a function writes to: convex-test does not say it when a document is refused.
const WRITES = { applyMovies: "movies", addPeople: "crew", addGenres: "genres" };

// convex-test's words, and Convex's.
const LIMITS = [
  ["Too many index ranges read", "Too many reads"],
  ["Scanned too many documents", "Too many documents read"],
  ["Read too much data", "Too many bytes read"],
  ["Wrote too many documents", "Too many writes"],
  ["Wrote too much data", "Too many bytes written"],
];
const MISMATCHES = [
  [
    /^Missing required field (`.+`) in object$/,
    "Object is missing the required field $1. Consider wrapping the field validator in `v.optional(...)` if this is expected.",
  ],
  [
    /^Unexpected field (`.+`) in object$/,
    "Object contains extra field $1 that is not in the validator.",
  ],
  [/^Expected (.+), got `(.*)`$/s, "Value does not match validator.\nValue: $2\nValidator: $1"],
];
const READ_ONLY_OPERATIONS = ["ViewData", "ViewBackups", "DownloadBackups", "RunInternalQueries"];

const { values: options } = parseArgs({
  options: {
    key: { type: "string" },
    "read-only-key": { type: "string" },
    schema: { type: "string", default: "ours" },
    "without-functions": { type: "boolean", default: false },
    convex: { type: "string", default: "convex" },
    functions: { type: "string", default: join(HERE, "../../tmdbkit/convex/functions") },
  },
});
const FUNCTIONS = options.functions;
const SCHEMAS = {
  ours: join(FUNCTIONS, "schema.ts"),
  app: join(HERE, "app_schema.ts"),
  watched: join(HERE, "watched_schema.ts"),
};

const schemaFile = SCHEMAS[options.schema] ?? options.schema;

/** The system's refusal of a request, as opposed to an error of a function. */
class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.body = { code, message };
  }
}

/** An error that Convex reports without having run the function. */
class NotRun extends Error {}

const {
  DatabaseFake,
  convexTest,
  convexToJson,
  functions,
  jsonToConvex,
  makeFunctionReference,
  schema,
} = await bundle();
indexed(DatabaseFake);
const deployed = options["without-functions"] ? {} : functions;

let backend;
reset();

/** An empty database; `limits` lowers what one function may read and write. */
function reset(limits = true) {
  const modules = {
    "./_generated/api.js": async () => ({}),
    "./tmdbkit.ts": async () => deployed,
  };
  backend = convexTest({ schema, modules, transactionLimits: limits });
}

/** Functions, the chosen schema, and convex-test, as one module with one copy of each `convex`. */
async function bundle() {
  const folder = await mkdtemp(join(tmpdir(), "tmdbkit-convex-"));
  const outfile = join(folder, "bundle.mjs");
  try {
    await build({
      stdin: {
        contents: `
          export * as functions from ${JSON.stringify(join(FUNCTIONS, "tmdbkit.ts"))};
          export { default as schema } from ${JSON.stringify(schemaFile)};
          export { convexTest, DatabaseFake } from "convex-test";
          export { makeFunctionReference } from "convex/server";
          export { convexToJson, jsonToConvex } from "convex/values";
        `,
        resolveDir: HERE,
      },
      plugins: [
        { name: "schema", setup: useChosenSchema },
        { name: "database", setup: openDatabase },
        { name: "convex", setup: useChosenConvex },
      ],
      nodePaths: [join(HERE, "node_modules")],
      bundle: true,
      format: "esm",
      platform: "node",
      outfile,
    });
    return await import(pathToFileURL(outfile));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The functions import "./schema"; in an app that is the app's own. */
function useChosenSchema({ onResolve }) {
  onResolve({ filter: /^\.\/schema$/ }, () => ({ path: schemaFile }));
}

/** An app brings the `convex` that its functions and its schema run with; Convex has its own. */
function useChosenConvex({ onResolve, resolve }) {
  onResolve({ filter: /^convex\// }, ({ path, importer, kind }) =>
    importer.endsWith(".ts")
      ? resolve(path.replace("convex", options.convex), { kind, resolveDir: HERE })
      : undefined,
  );
}

/** convex-test keeps its database to itself; `indexed` needs it. */
function openDatabase({ onLoad }) {
  onLoad({ filter: /\/convex-test\/dist\/index\.js$/ }, async ({ path }) => ({
    contents: `${await readFile(path, "utf8")}\nexport { DatabaseFake };`,
  }));
}

/** How arguments come and values go: as plain JSON, which loses some, or as the clients send them. */
const FORMATS = {
  json: { read: (args = {}) => args, write: (value) => lossy(convexToJson(value)) },
  convex_encoded_json: { read: ([args] = [{}]) => jsonToConvex(args), write: convexToJson },
};

/** What Convex makes of a value in plain JSON. */
function lossy(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(lossy);
  if ("$integer" in value) return String(jsonToConvex(value));
  if ("$float" in value) return String(jsonToConvex(value));
  if ("$bytes" in value) return value.$bytes;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, lossy(part)]));
}

async function answer(kind, { path, args: given, format }) {
  const { read, write } = FORMATS[format] ?? {};
  if (!read) throw new Refusal(400, "BadFormat", `Unsupported format: ${format}`);
  const args = read(given);
  try {
    const value = await call(kind, path, args);
    return { status: "success", value: write(value), logLines: [] };
  } catch (error) {
    const errorMessage = `[Request ID: ${randomBytes(8).toString("hex")}] Server Error\n${explain(error, path, args)}\n`;
    const errorData = error.data === undefined ? {} : { errorData: convexToJson(error.data) };
    return { status: "error", errorMessage, ...errorData, logLines: [] };
  }
}

async function call(kind, path, args) {
  const [module, name] = path.replace(/\.js:/, ":").split(":");
  const found = module === "tmdbkit" ? deployed[name] : undefined;
  if (!found?.isQuery && !found?.isMutation) {
    throw new NotRun(
      `Could not find public function for '${path}'. Did you forget to run \`npx convex dev\` or \`npx convex deploy\`?`,
    );
  }
  const actual = found.isMutation ? "Mutation" : "Query";
  if (actual !== kind) {
    throw new NotRun(
      `Trying to execute ${module}.js:${name} as ${kind}, but it is defined as ${actual}.`,
    );
  }
  const run = kind === "Mutation" ? backend.mutation : backend.query;
  return await run(makeFunctionReference(`${module}:${name}`), args);
}

/** What Convex would say of this error. */
function explain(error, path, args) {
  if (error instanceof NotRun) return error.message;
  const [, mismatch] = error.message.split("Validator error: ");
  if (mismatch !== undefined) {
    const dump = `\n\nObject: ${JSON.stringify(convexToJson(args))}\nValidator: v.object({...})`;
    const what = inTheWordsOfConvex(mismatch, MISMATCHES) + dump;
    if (error.stack.includes("validateFunctionArgs")) return `ArgumentValidationError: ${what}`;
    return uncaught(
      `Error: Failed to insert or update a document in table "${WRITES[path.split(":")[1]]}" because it does not match the schema: ${what}`,
    );
  }
  if (error.data !== undefined) return uncaught(`ConvexError: ${JSON.stringify(error.data)}`);
  return uncaught(`Error: ${inTheWordsOfConvex(error.message, LIMITS)}`);
}

function inTheWordsOfConvex(message, dictionary) {
  return dictionary.reduce((text, [theirs, words]) => text.replace(theirs, words), message);
}

function uncaught(message) {
  return `Uncaught ${message}\n    at async handler (../convex/tmdbkit.ts:1:1)`;
}

/** Who calls; everybody who has no key of ours is refused. */
function authenticate({ headers }) {
  const [, key] = /^convex (.+)$/i.exec(headers.authorization ?? "") ?? [];
  if (key !== undefined && key === options.key) return { readOnly: false };
  if (key !== undefined && key === options["read-only-key"]) return { readOnly: true };
  throw new Refusal(401, "BadAdminKey", "The provided admin key was invalid for this instance");
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  // Read to the end even when it is too much: a client that still sends would miss the answer.
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
  }
  const refuse = (message) => new Refusal(400, "BadJsonBody", message);
  if (size > BODY_LIMIT) throw refuse("Failed to buffer the request body: length limit exceeded");
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) {
    throw refuse("Expected request with `Content-Type: application/json`");
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw refuse(`Failed to parse the request body as JSON: ${error.message}`);
  }
}

const ROUTES = {
  "GET /api/check_admin_key": ({ request }) => {
    const { readOnly } = authenticate(request);
    return {
      success: true,
      allowedOps: readOnly ? READ_ONLY_OPERATIONS : [],
      isReadOnly: readOnly,
    };
  },
  "POST /api/query": async ({ request, body }) => {
    authenticate(request);
    return await answer("Query", body);
  },
  "POST /api/query_batch": async ({ request, body }) => {
    authenticate(request);
    const results = [];
    for (const query of body.queries) results.push(await answer("Query", query));
    return { results };
  },
  "POST /api/mutation": async ({ request, body }) => {
    if (authenticate(request).readOnly) {
      throw new Refusal(
        403,
        "OperationNotPermitted",
        "You do not have permission to perform this operation (RunInternalMutations).",
      );
    }
    return await answer("Mutation", body);
  },

  "POST /test/reset": ({ body }) => reset(body.limits),
  "POST /test/insert": async ({ body: { table, docs } }) =>
    await backend.run(async ({ db }) => {
      const ids = [];
      for (const doc of docs) ids.push(await db.insert(table, jsonToConvex(doc)));
      return ids;
    }),
  "POST /test/patch": async ({ body: { table, tmdb_id, fields, unset } }) =>
    await backend.run(async ({ db }) => {
      const removed = Object.fromEntries(unset.map((field) => [field, undefined]));
      const range = (index) => index.eq("tmdb_id", tmdb_id);
      const found = await db.query(table).withIndex("by_tmdb_id", range).collect();
      for (const { _id } of found) await db.patch(_id, { ...fields, ...removed });
      return found.length;
    }),
  "POST /test/remove": async ({ body: { table, tmdb_ids } }) =>
    await backend.run(async ({ db }) => {
      const all = await db.query(table).collect();
      for (const { _id, tmdb_id } of all) if (tmdb_ids.includes(tmdb_id)) await db.delete(_id);
    }),
  "GET /test/dump": async ({ query }) =>
    (await backend.run(async ({ db }) => await db.query(query.get("table")).collect())).map(
      (document) => convexToJson(document),
    ),
};

// One call after the other, whatever the clients do: each sees all that came before it.
let last = Promise.resolve();
function serially(call) {
  const done = last.then(call);
  last = done.catch(() => {});
  return done;
}

async function serve(request) {
  const { pathname, searchParams: query } = new URL(request.url, "http://localhost");
  const route = ROUTES[`${request.method} ${pathname}`];
  if (route === undefined) throw new Refusal(404, "NotFound", `No such endpoint: ${pathname}`);
  const body = request.method === "POST" ? await readBody(request) : null;
  return (await serially(() => route({ request, body, query }))) ?? null;
}

/** Convex writes every number as a float; JavaScript has to be told to. */
function asFloats(_, value) {
  return Number.isSafeInteger(value) ? JSON.rawJSON(`${value}.0`) : value;
}

const server = createServer(async (request, response) => {
  const reply = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body, asFloats));
  };
  try {
    reply(200, await serve(request));
  } catch (error) {
    if (error instanceof Refusal) reply(error.status, error.body);
    else reply(500, { code: "InternalServerError", message: error.message });
  }
});

// Never close a connection that a client keeps: it would find out in the middle of a test.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  console.log(JSON.stringify({ port, url: `http://127.0.0.1:${port}` }));
});
process.stdin.on("end", () => process.exit(0)).resume();
