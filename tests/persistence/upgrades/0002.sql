-- A favourite, a review, a log-in, and a screening that was cancelled.
INSERT INTO favorites (user_id, cinema_id) VALUES (2, 1);
INSERT INTO reviews (movie_id, user_id, rating, comment) VALUES (1, 2, 4, 'Deep');
INSERT INTO review_reactions (review_id, user_id, reaction) SELECT id, 1, 'like' FROM reviews;
INSERT INTO casts (movie_id, name) VALUES (1, 'Ida');
INSERT INTO logins (id, user_id) VALUES ('login-1', 2);
INSERT INTO refresh_tokens (token_hash, login_id, expires_at) VALUES ('\x02', 'login-1', now() + interval '7 days');
INSERT INTO search_history (user_id, query) VALUES (2, 'water');
INSERT INTO screenings (id, room_id, movie_id, starts_at, ends_at, price, cancelled_at) VALUES
    (3, 1, 1, now() + interval '8 days', now() + interval '8 days 2 hours', 10, now());
