// The tables that tmdbkit fills, as a Convex schema.
//
// Copy this file into your app's `convex/` folder if it has no schema yet. If it has one, add to it
// the tables and fields that you miss: tmdbkit asks your deployment what its tables accept, sends
// nothing that they do not know, and works without `crew`, the field, and `genres`, the table.
// Keep the indexes: every lookup goes through one.

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

// Null where a system has no rating of the movie; 0 would be a rating.
const ratings = v.object({
  imdb: v.union(v.number(), v.null()),
  letterboxd: v.union(v.number(), v.null()),
  metacritic: v.union(v.number(), v.null()),
  rotten_tomatoes: v.union(v.number(), v.null()),
  tmdb: v.union(v.number(), v.null()),
});

export default defineSchema({
  movies: defineTable({
    title: v.string(),
    tmdb_id: v.number(),
    imdb_id: v.string(),
    slug: v.string(),
    original_title: v.string(),
    original_language: v.string(),
    synopsis: v.string(),
    tagline: v.string(),
    status: v.string(),
    release_date: v.string(),
    runtime_minutes: v.number(),
    budget: v.number(),
    revenue: v.number(),
    popularity: v.number(),
    mpaa_rating: v.string(),

    // Optional fields are absent when there is nothing, never null.
    main_poster: v.optional(v.string()),
    main_backdrop: v.optional(v.string()),
    screenshots: v.array(v.string()),
    screenshot_id_list: v.optional(v.array(v.string())),
    screenshot_url: v.optional(v.string()),
    trailer_url: v.string(),

    // TMDB's ids of people, genres, keywords and companies.
    cast: v.array(v.number()),
    directors: v.array(v.number()),
    crew: v.optional(v.array(v.number())),
    genres: v.array(v.number()),
    keywords: v.array(v.number()),
    production_studio: v.array(v.number()),

    country: v.array(v.string()),
    language: v.array(v.string()),
    mood: v.array(v.any()),
    belong_to_collection: v.union(
      v.object({
        id: v.number(),
        name: v.string(),
        poster_path: v.union(v.string(), v.null()),
        backdrop_path: v.union(v.string(), v.null()),
      }),
      v.null(),
    ),

    vote_count_system: ratings,
    vote_pts_system: ratings,

    // ISO 8601.
    created_at: v.string(),
    updated_at: v.string(),
    tmdb_data_imported_at: v.string(),
  })
    .index("by_tmdb_id", ["tmdb_id"])
    .index("by_slug", ["slug"]),

  // One row for every person and job: a writer who also directs has two.
  crew: defineTable({
    crew_id: v.number(),
    crew_name: v.string(),
    crew_type: v.string(),
  }).index("by_crew_id", ["crew_id"]),

  genres: defineTable({
    genre_id: v.number(),
    name: v.string(),
  }).index("by_genre_id", ["genre_id"]),
});
