// The schema of an app that was there before tmdbkit: its movies have no `crew`, and it has no
// `genres` table. All the rest is as in ours, which it follows.

import { defineSchema, defineTable } from "convex/server";
import ours from "../../tmdbkit/convex/functions/schema";

export default defineSchema({
  movies: defineTable(ours.tables.movies.validator.omit("crew"))
    .index("by_tmdb_id", ["tmdb_id"])
    .index("by_slug", ["slug"]),
  crew: ours.tables.crew,
});
