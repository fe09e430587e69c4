// The schema of an app whose users do something with movies: its tables point at them, some by an
// index, and its movies have fields of kinds that plain JSON has no room for.

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import ours from "../../tmdbkit/convex/functions/schema";

const movie = v.id("movies");

export default defineSchema({
  movies: defineTable(
    ours.tables.movies.validator.extend({
      views: v.optional(v.int64()),
      score: v.optional(v.number()),
      thumbnail: v.optional(v.bytes()),
      sequel: v.optional(movie),
    }),
  )
    .index("by_tmdb_id", ["tmdb_id"])
    .index("by_slug", ["slug"])
    .index("by_sequel", ["sequel"]),
  crew: ours.tables.crew,
  genres: ours.tables.genres,
  watchlist: defineTable({ user: v.string(), movie }).index("by_movie", ["movie", "user"]),
  reviews: defineTable({
    about: v.object({ movie: v.union(movie, v.null()), stars: v.number() }),
  }).index("by_about_movie", ["about.movie"]),
  lists: defineTable({ name: v.string(), movies: v.array(movie) }).index("by_name", ["name"]),
  unrelated: defineTable({ user: v.id("watchlist") }).index("by_user", ["user"]),
});
