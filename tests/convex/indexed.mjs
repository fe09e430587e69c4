// Makes convex-test's database find documents by an index, as Convex does, and not by looking at all.
//
// convex-test goes through every document of every table for each lookup, so that a lookup among
// 60,000 costs 10 ms. What changes here is which documents it looks at: those that were committed
// with the value that the lookup asks for, and all that the mutation at hand has written. Filters,
// order, limits and what counts as read stay convex-test's own.

/** Let all databases of this class keep an index of every value that a lookup has asked for. */
export function indexed(DatabaseFake) {
  const { prototype } = DatabaseFake;
  const { _resolveQuerySource, _iterateDocs, commit } = prototype;

  prototype._resolveQuerySource = function (query) {
    this._asked = equality(query.source);
    try {
      return _resolveQuerySource.call(this, query);
    } finally {
      this._asked = null;
    }
  };

  prototype._iterateDocs = function (table, callback) {
    if (!this._asked) return _iterateDocs.call(this, table, callback);
    const { field, value } = this._asked;
    const ids = new Set(indexOf(this, table, field).get(value));
    for (const id of this._writes.flatMap(Object.keys)) if (isIn(table, id)) ids.add(id);
    for (const id of ids) {
      const document = this.get(table, id);
      if (document !== null) callback(document);
    }
  };

  prototype.commit = function (timestamp) {
    const committed = this._writes.length === 1 ? Object.keys(this._writes[0]) : [];
    const before = committed.map((id) => this._documents[id]);
    commit.call(this, timestamp);
    committed.forEach((id, place) => {
      for (const index of this._indexes?.values() ?? []) {
        if (!isIn(index.table, id)) continue;
        index.remove(id, before[place]);
        index.add(id, this._documents[id]);
      }
    });
  };
}

/** The field and value that a lookup asks for first; none where it asks for a range or for all. */
function equality({ type, range }) {
  const [first] = type === "IndexRange" ? range : [];
  if (first?.type !== "Eq" || first.fieldPath.includes(".")) return null;
  const plain = ["string", "number"].includes(typeof first.value);
  return plain ? { field: first.fieldPath, value: first.value } : null;
}

/** The index of a table by a field, made of what is there when it is asked for first. */
function indexOf(database, table, field) {
  database._indexes ??= new Map();
  const name = `${table}.${field}`;
  if (!database._indexes.has(name)) {
    const index = new Index(table, field);
    for (const [id, document] of Object.entries(database._documents)) {
      if (isIn(table, id)) index.add(id, document);
    }
    database._indexes.set(name, index);
  }
  return database._indexes.get(name);
}

/** Which committed documents of a table have which value of a field. */
class Index {
  #ids = new Map();

  constructor(table, field) {
    this.table = table;
    this.field = field;
  }

  get(value) {
    return this.#ids.get(value) ?? [];
  }

  add(id, document) {
    if (document === undefined) return;
    const value = document[this.field];
    if (!this.#ids.has(value)) this.#ids.set(value, new Set());
    this.#ids.get(value).add(id);
  }

  remove(id, document) {
    this.#ids.get(document?.[this.field])?.delete(id);
  }
}

/** An id of convex-test is a number and the table's name. */
function isIn(table, id) {
  return id.endsWith(table) && /^[0-9]+$/.test(id.slice(0, -table.length));
}
