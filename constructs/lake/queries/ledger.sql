-- Frames of yesterday against what is stored of them: residue and gaps must be 0.
WITH frames AS ( -- with the days before, from which chains come
  SELECT
    frame_id, min("date") AS day, min(instance) AS instance, min("partition") AS part,
    min(sequence) AS sequence, min(first_event) AS first_event, min("count") AS events
  FROM receipts
  WHERE "date" BETWEEN CAST(current_date - INTERVAL '8' DAY AS varchar)
                   AND CAST(current_date - INTERVAL '1' DAY AS varchar)
  GROUP BY frame_id
),
chains AS (
  SELECT
    *,
    greatest(0, sequence - coalesce(lag(sequence) OVER chain + 1, sequence)) AS missing_frames,
    greatest(0, first_event - coalesce(lag(first_event + events) OVER chain, first_event)) AS missing_events
  FROM frames
  WINDOW chain AS (PARTITION BY instance, part ORDER BY sequence)
),
positions AS (
  SELECT delivered.frame_id, delivered.frame_position
  FROM packs CROSS JOIN UNNEST(
    transform(events, e -> e.frame_id), transform(events, e -> e.frame_position)
  ) AS delivered (frame_id, frame_position)
  WHERE arrival_date >= CAST(current_date - INTERVAL '1' DAY AS varchar)
  UNION
  SELECT frame_id, frame_position
  FROM quarantined
  WHERE "date" >= CAST(current_date - INTERVAL '1' DAY AS varchar)
  UNION -- left out: others of the same batch say the same
  SELECT frame_id, duplicate
  FROM receipts CROSS JOIN UNNEST(duplicates) AS t (duplicate)
  WHERE "date" >= CAST(current_date - INTERVAL '1' DAY AS varchar)
),
stored AS (
  SELECT frame_id, count(*) AS events FROM positions GROUP BY frame_id
)
SELECT
  sum(chains.events) + sum(chains.missing_events) AS accepted,
  sum(coalesce(stored.events, 0)) AS stored,
  sum(chains.events) + sum(chains.missing_events) - sum(coalesce(stored.events, 0)) AS residue,
  sum(chains.missing_frames) AS frame_gaps
FROM chains LEFT JOIN stored ON stored.frame_id = chains.frame_id
WHERE chains.day = CAST(current_date - INTERVAL '1' DAY AS varchar)
