// What tmdbkit calls in your deployment. Copy this file into your app's `convex/` folder, next to
// its `schema.ts`, and deploy; `tmdbkit functions convex` copies it for you.
//
// Every function is internal: only a caller with a deploy key can reach it, never a browser. What
// may be written is what your own schema says: the validators below are taken from it, so the two
// cannot drift apart. Convex has no unique indexes; looking up and writing in one mutation is what
// keeps a movie from being stored twice. Needs convex 1.29 or newer.
//
// Writes go to the database as it is: triggers and aggregates of your own, such as those of
// convex-helpers and @convex-dev/aggregate, are not run by them; bring them up to date after a push.
//
// Of ESLint's rules two are off. `any` is the data model, which nobody knows without the code that
// Convex generates; and to name the table of an id that is deleted or patched needs convex 1.31.
/* eslint-disable @typescript-eslint/no-explicit-any, @convex-dev/explicit-table-ids */

import {
  internalMutationGeneric,
  internalQueryGeneric,
  type GenericDatabaseReader,
  type GenericDatabaseWriter,
  type TableDefinition,
} from "convex/server";
import {
  compareValues,
  ConvexError,
  v,
  type GenericId,
  type Infer,
  type Value,
} from "convex/values";
import schema from "./schema";

/** Goes up when names, arguments or results change; tmdbkit compares it with what it speaks. */
export const VERSION = 2;

// By name, so that an app without one of the tables still compiles and deploys.
const tables: Partial<Record<string, TableDefinition>> = schema.tables;

// So does one whose movies are anything, or a union: tmdbkit sends no change to such a table.
const movie = tables.movies?.validator ?? v.any();
const someFields = movie.kind === "object" ? movie.partial() : v.any();
const person =
  tables.crew?.validator ??
  v.object({ crew_id: v.number(), crew_name: v.string(), crew_type: v.string() });
const genre = tables.genres?.validator ?? v.object({ genre_id: v.number(), name: v.string() });

// Either `create`, for a movie that is not there yet; or `set` and `unset`, for one that is and
// whose fields are still as in `expected` and `absent`; or `delete`, on the same terms. One object
// with optional parts rather than a union: a refusal of the arguments then names the field at fault.
const movieChange = v.object({
  tmdb_id: v.number(),
  create: v.optional(movie),
  expected: v.optional(v.record(v.string(), v.any())),
  absent: v.optional(v.array(v.string())),
  set: v.optional(someFields),
  unset: v.optional(v.array(v.string())),
  delete: v.optional(v.boolean()),
});

// Without generated code the data model is not known; the validators guard what goes in.
type Reader = GenericDatabaseReader<any>;
type Writer = GenericDatabaseWriter<any>;
type Fields = Record<string, Value | undefined>;
type Stored = Fields & { _id: GenericId<string> };
type Outcome = "created" | "updated" | "deleted" | "unchanged" | "conflict";
type Applied = { tmdb_id: number; outcome: Outcome; id: string | null; differs: string[] };
type Counts = { created: number; updated: number; unchanged: number };
type Reference = { table: string; field: string; index: string | null };
type Pointing = { tmdb_id: number; table: string; field: string; documents: number };

// A validator as Convex exports it; only the kinds that have others inside, and `id`, matter here.
type Exported =
  | { type: "id"; tableName: string }
  | { type: "object"; value: Record<string, { fieldType: Exported }> }
  | { type: "array"; value: Exported }
  | { type: "union"; value: Exported[] }
  | { type: "record"; keys: Exported; values: { fieldType: Exported } }
  | { type: "other" };

/** What the app's tables accept and which fields point at movies; the version of these functions. */
export const contract = internalQueryGeneric({
  args: {},
  handler: async () => ({
    version: VERSION,
    tables: { movies: accepted("movies"), crew: accepted("crew"), genres: accepted("genres") },
    references: references(),
  }),
});

/** How many documents point at these movies, by the indexes that lead there; at most so many. */
export const pointingAt = internalQueryGeneric({
  args: { tmdb_ids: v.array(v.number()), most: v.number() },
  handler: async ({ db }, { tmdb_ids, most }) => {
    const found: Pointing[] = [];
    for (const { _id, tmdb_id } of await lookUp(db, "movies", "tmdb_id", tmdb_ids)) {
      for (const { table, field, index } of references()) {
        if (index === null) continue;
        const pointing = db.query(table).withIndex(index, (range) => range.eq(field, _id));
        const documents = (await pointing.take(most)).length;
        if (documents > 0) found.push({ tmdb_id: tmdb_id as number, table, field, documents });
      }
    }
    return found;
  },
});

/** All documents with these ids, repeated ones too. */
export const moviesByTmdbIds = internalQueryGeneric({
  args: { tmdb_ids: v.array(v.number()) },
  handler: async ({ db }, { tmdb_ids }) => await lookUp(db, "movies", "tmdb_id", tmdb_ids),
});

/** Which movies have these slugs already. */
export const slugOwners = internalQueryGeneric({
  args: { slugs: v.array(v.string()) },
  handler: async ({ db }, { slugs }) =>
    (await lookUp(db, "movies", "slug", slugs)).map(({ slug, tmdb_id }) => ({ slug, tmdb_id })),
});

/** One page of a table, oldest document first; an app that lacks the table has no pages of it. */
export const page = internalQueryGeneric({
  args: {
    table: v.union(v.literal("movies"), v.literal("crew"), v.literal("genres")),
    cursor: v.union(v.string(), v.null()),
    size: v.number(),
  },
  handler: async ({ db }, { table, cursor, size }) => {
    const found = await db.query(table).paginate({ cursor, numItems: size });
    return { page: found.page, cursor: found.continueCursor, done: found.isDone };
  },
});

/** Compares and sets: a change is made only where the document is still what it was planned on. */
export const applyMovies = internalMutationGeneric({
  args: { changes: v.array(movieChange) },
  handler: async ({ db }, { changes }) => {
    const results: Applied[] = [];
    // One after the other, so that a second change to a movie sees the first.
    for (const change of changes) results.push(await applyChange(db, change));
    return results;
  },
});

/** Adds the people that are missing, by id and job, and renames those whose name has changed. */
export const addPeople = internalMutationGeneric({
  args: { people: v.array(person) },
  handler: async ({ db }, { people }) =>
    await addNamed(db, "crew", ["crew_id", "crew_type"], "crew_name", people),
});

/** Adds the genres that are missing, and renames those whose name has changed. */
export const addGenres = internalMutationGeneric({
  args: { genres: v.array(genre) },
  handler: async ({ db }, { genres }) => await addNamed(db, "genres", ["genre_id"], "name", genres),
});

/** What a table's validator accepts, as JSON; null where the app has no such table. */
function accepted(table: string): Value {
  const validator = tables[table]?.validator;
  return validator === undefined ? null : JSON.parse(JSON.stringify(exported(validator)));
}

/** Convex itself reads `json` when it deploys a schema; only its published types leave it out. */
function exported(validator: TableDefinition["validator"]): Exported {
  return (validator as unknown as { json: Exported }).json;
}

/** The fields of the app's schema that hold ids of movies, each with an index that begins with it. */
function references(): Reference[] {
  return Object.entries(schema.tables as typeof tables).flatMap(([table, definition]) => {
    if (definition === undefined) return [];
    // Convex calls this experimental, and not every library's tables have it: then none is counted.
    const indexes = definition[" indexes"]?.() ?? [];
    return [...new Set(pointers(exported(definition.validator), ""))].map((field) => {
      const index = indexes.find(({ fields }) => fields[0] === field);
      return { table, field, index: index?.indexDescriptor ?? null };
    });
  });
}

/** The paths in a validator that hold ids of movies; those in lists end in a bracket: no index. */
function pointers(type: Exported | undefined, path: string): string[] {
  switch (type?.type) {
    case "id":
      return type.tableName === "movies" ? [path] : [];
    case "object":
      return Object.entries(type.value).flatMap(([name, { fieldType }]) =>
        pointers(fieldType, path === "" ? name : `${path}.${name}`),
      );
    case "array":
      return pointers(type.value, `${path}[]`);
    case "union":
      return type.value.flatMap((choice) => pointers(choice, path));
    case "record":
      return [type.keys, type.values.fieldType].flatMap((part) => pointers(part, `${path}[]`));
    default:
      return [];
  }
}

/** The documents whose field has one of these values: one index range for each distinct value. */
async function lookUp(
  db: Reader,
  table: string,
  field: string,
  values: Fields[string][],
): Promise<Stored[]> {
  const found = await Promise.all(
    [...new Set(values)].map((value) =>
      db
        .query(table)
        .withIndex(`by_${field}`, (range) => range.eq(field, value))
        .collect(),
    ),
  );
  return found.flat();
}

async function applyChange(db: Writer, change: Infer<typeof movieChange>): Promise<Applied> {
  const { tmdb_id, create, expected = {}, absent = [], set = {}, unset = [] } = change;
  const [stored, ...repeated] = await lookUp(db, "movies", "tmdb_id", [tmdb_id]);
  const answer = (outcome: Outcome, id: string | null, differs: string[] = []): Applied => ({
    tmdb_id,
    outcome,
    id,
    differs,
  });

  // Which of several documents is meant is for a person to say, and an id never changes.
  const meant = create?.tmdb_id ?? set.tmdb_id ?? tmdb_id;
  if (repeated.length > 0 || meant !== tmdb_id) return answer("conflict", null, ["tmdb_id"]);

  if (change.delete) {
    if (stored === undefined) return answer("unchanged", null);
    // A field that nobody told us of is somebody's work, as much as another value is.
    const added = Object.keys(stored).filter((name) => !name.startsWith("_") && !(name in expected));
    const moved = [...differing(stored, expected), ...added];
    if (moved.length > 0) return answer("conflict", stored._id, moved);
    await db.delete(stored._id);
    return answer("deleted", stored._id);
  }

  if (stored === undefined) {
    if (create === undefined) return answer("conflict", null, ["tmdb_id"]);
    return answer("created", await db.insert("movies", create));
  }

  // What is there already counts as done, so a call made again after a lost answer is harmless.
  const wanted = create ?? { ...set, ...withoutValues(unset) };
  const missing = differing(stored, wanted);
  if (missing.length === 0) return answer("unchanged", stored._id);

  const moved = create ? missing : differing(stored, { ...expected, ...withoutValues(absent) });
  if (moved.length > 0) return answer("conflict", stored._id, moved);
  await db.patch(stored._id, wanted);
  return answer("updated", stored._id);
}

/** These fields as they are where they are absent; a patch with `undefined` removes a field. */
function withoutValues(fields: string[]): Fields {
  return Object.fromEntries(fields.map((field) => [field, undefined]));
}

/** The names of the fields that the document has with another value, whatever the order of keys. */
function differing(document: Fields, fields: Fields): string[] {
  return Object.keys(fields).filter((name) => compareValues(document[name], fields[name]) !== 0);
}

/** Adds the rows that are missing, told apart by `key`, and keeps the names of the rest current. */
async function addNamed(
  db: Writer,
  table: string,
  key: [id: string, ...more: string[]],
  name: string,
  rows: Fields[],
): Promise<Counts> {
  if (tables[table] === undefined) {
    const message = `The schema of this app has no table "${table}".`;
    throw new ConvexError({ code: "MissingTable", table, message });
  }
  const keyOf = (row: Fields) => JSON.stringify(key.map((field) => row[field]));

  const ids = rows.map((row) => row[key[0]]);
  const found = await lookUp(db, table, key[0], ids);
  // Backwards, so that of rows which were stored twice the oldest is the one that counts.
  const known = new Map(found.reverse().map((row) => [keyOf(row), row]));

  const counts: Counts = { created: 0, updated: 0, unchanged: 0 };
  for (const row of rows) {
    const stored = known.get(keyOf(row));
    if (stored === undefined) {
      known.set(keyOf(row), { ...row, _id: await db.insert(table, row) });
      counts.created += 1;
    } else if (stored[name] !== row[name]) {
      await db.patch(stored._id, { [name]: row[name] });
      known.set(keyOf(row), { ...stored, [name]: row[name] });
      counts.updated += 1;
    } else {
      counts.unchanged += 1;
    }
  }
  return counts;
}
