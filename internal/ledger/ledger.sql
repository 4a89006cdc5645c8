-- What lies in the buckets, as one JSON value. Every number comes from what is
-- stored; a frame, a pack or an object that is read twice counts once.
-- The working directory holds copies of the buckets' objects.

CREATE TABLE every_receipt AS
SELECT *
FROM read_json('ledger/**/*.gz', format = 'newline_delimited', compression = 'gzip', columns = {
  frame_id: 'VARCHAR', instance: 'VARCHAR', "partition": 'INTEGER', sequence: 'BIGINT', first_event: 'BIGINT',
  "count": 'BIGINT', created_at: 'TIMESTAMP', duplicates: 'INTEGER[]'});

CREATE VIEW receipts AS SELECT DISTINCT ON (frame_id) * FROM every_receipt;

-- What preprocess left out because the same Lambda batch had its id and bytes:
-- in another batch the same frame may have had none.
CREATE VIEW dropped AS
SELECT DISTINCT frame_id, unnest(duplicates) AS frame_position FROM every_receipt;

CREATE TABLE packs AS
SELECT filename, pack.id AS pack_id, events
FROM read_json('raw/**/*.gz', format = 'newline_delimited', compression = 'gzip', filename = true,
  maximum_object_size = 4194304, columns = {
  pack: 'STRUCT(id VARCHAR)',
  events: 'STRUCT(event_id VARCHAR, type VARCHAR, visitor_id VARCHAR, session_id VARCHAR, shop_id VARCHAR,
                  event_time TIMESTAMP, received_at TIMESTAMP, frame_id VARCHAR, frame_position INTEGER,
                  "order" STRUCT("value" DOUBLE, currency VARCHAR))[]'});

CREATE TABLE delivered AS
SELECT DISTINCT ON (event.frame_id, event.frame_position) event.*
FROM (SELECT unnest(events) AS event FROM packs);

CREATE TABLE quarantined AS
SELECT DISTINCT ON (frame_id, frame_position) *,
  -- what has no readable id is known by its place
  CASE WHEN event_id IS NULL THEN frame_id || '/' || frame_position ELSE event_id END AS identity
FROM read_json('quarantine/**/*.gz', format = 'newline_delimited', compression = 'gzip',
  maximum_object_size = 4194304, filename = true, columns = {
  reason: 'VARCHAR', pointer: 'VARCHAR', shop_id: 'VARCHAR', event_id: 'VARCHAR', frame_id: 'VARCHAR',
  frame_position: 'INTEGER', original: 'JSON'})
ANTI JOIN delivered USING (frame_id, frame_position); -- sent again, a frame may meet a newer contract

-- The first of each identity: what a reader that knows ids sees.
CREATE TABLE events AS
SELECT DISTINCT ON (shop_id, event_id) * FROM delivered ORDER BY shop_id, event_id, received_at, frame_id, frame_position;

-- Within an instance and a partition, a frame begins where the one before
-- ended: what lies between two that do not meet was lost. Two that overlap
-- never make up for it.
CREATE VIEW gaps AS
SELECT
  greatest(0, sequence - coalesce(lag(sequence) OVER chain + 1, 0)) AS frames,
  greatest(0, first_event - coalesce(lag(first_event + "count") OVER chain, 0)) AS events
FROM receipts
WINDOW chain AS (PARTITION BY instance, "partition" ORDER BY sequence);

CREATE VIEW positions AS
SELECT frame_id, frame_position FROM delivered UNION SELECT frame_id, frame_position FROM quarantined
UNION SELECT frame_id, frame_position FROM dropped;

CREATE VIEW accounts AS
SELECT
  (SELECT coalesce(sum("count"), 0) FROM receipts) + (SELECT coalesce(sum(events), 0) FROM gaps) AS accepted,
  (SELECT count(*) FROM events) AS delivered,
  (SELECT count(DISTINCT (shop_id, identity, original::VARCHAR)) FROM quarantined) AS quarantined,
  (SELECT count(*) FROM positions) AS stored,
  (SELECT count(*) FROM positions SEMI JOIN receipts USING (frame_id)) AS receipted,
  (SELECT coalesce(sum(frames), 0) FROM gaps) AS frame_gaps;

CREATE VIEW funnel AS
SELECT
  count(DISTINCT (shop_id, session_id)) AS sessions,
  count(DISTINCT (shop_id, session_id)) FILTER (type = 'product_view') AS product_view,
  count(DISTINCT (shop_id, session_id)) FILTER (type = 'add_to_cart') AS add_to_cart,
  count(DISTINCT (shop_id, session_id)) FILTER (type = 'checkout_step') AS checkout_step,
  count(DISTINCT (shop_id, session_id)) FILTER (type = 'purchase') AS purchase
FROM events WHERE session_id IS NOT NULL;

SELECT to_json({
  ledger: (SELECT {
    accepted: accepted, delivered: delivered, quarantined: quarantined,
    duplicates: stored - delivered - quarantined,
    residue: accepted - receipted,
    frame_gaps: frame_gaps, unreceipted: stored - receipted} FROM accounts),
  hops: {
    frames: (SELECT count(*) FROM receipts),
    frame_events: (SELECT coalesce(sum("count"), 0) FROM receipts),
    packs: (SELECT count(DISTINCT pack_id) FROM packs),
    raw_objects: (SELECT count(DISTINCT filename) FROM packs),
    raw_events: (SELECT count(*) FROM delivered),
    quarantine_objects: (SELECT count(DISTINCT filename) FROM quarantined),
    quarantine_events: (SELECT count(*) FROM quarantined)},
  types: (SELECT coalesce(list({type: type, events: n} ORDER BY n DESC, type), [])
    FROM (SELECT type, count(*) AS n FROM events GROUP BY type)),
  reasons: (SELECT coalesce(list({reason: reason, pointer: pointer, events: n} ORDER BY n DESC, reason, pointer), [])
    FROM (SELECT reason, pointer, count(*) AS n FROM quarantined GROUP BY ALL)),
  funnel: (SELECT [
    {step: 'all sessions', sessions: sessions}, {step: 'saw a product', sessions: product_view},
    {step: 'filled a cart', sessions: add_to_cart}, {step: 'began a checkout', sessions: checkout_step},
    {step: 'bought', sessions: purchase}] FROM funnel),
  minutes: (SELECT coalesce(list({minute: strftime(minute, '%Y-%m-%dT%H:%M:00Z'), events: n} ORDER BY minute), [])
    FROM (SELECT date_trunc('minute', event_time) AS minute, count(*) AS n FROM events GROUP BY minute)),
  shops: (SELECT coalesce(list({shop: shop_id, events: n, visitors: visitors, purchases: purchases, revenue: revenue, currency: currency} ORDER BY n DESC, shop_id), [])
    FROM (SELECT shop_id, count(*) AS n, count(DISTINCT visitor_id) AS visitors, count(*) FILTER (type = 'purchase') AS purchases,
            round(coalesce(sum("order"."value") FILTER (type = 'purchase'), 0), 2) AS revenue,
            coalesce(any_value("order".currency), '') AS currency
          FROM events GROUP BY shop_id))
});
