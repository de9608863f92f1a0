-- Movies are listed by title, page by page from a position (persistence/keysets.py).
CREATE INDEX movies_title_idx ON movies (title, id);
