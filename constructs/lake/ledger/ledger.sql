-- The ledger of a window's frames: accepted = delivered + quarantined +
-- duplicates + residue. An event is known by its frame and its position in it,
-- a frame's age by its id, whose first digits are a time: what is stored or
-- read twice counts once.
WITH frames AS ( -- and those of the time before, from which chains come
  SELECT
    frame_id, min(instance) AS instance, min("partition") AS part,
    min(sequence) AS sequence, min(first_event) AS first_event, min("count") AS events
  FROM receipts
  WHERE "date" BETWEEN '{{.Known.Date}}' AND '{{.To.Date}}'
    AND "date" || 'T' || "hour" BETWEEN '{{.Known.Hour}}' AND '{{.To.Hour}}'
    AND frame_id >= '{{.Known.FrameID}}' AND frame_id < '{{.To.FrameID}}'
  GROUP BY frame_id
),
instances AS ( -- one that was silent at first began then, and its chains with it: at 0
  SELECT *, min(frame_id) OVER (PARTITION BY instance) >= '{{.Silent.FrameID}}' AS began FROM frames
),
chains AS ( -- what lies between two frames that do not meet was lost
  SELECT
    frame_id, events,
    greatest(0, sequence - coalesce(lag(sequence) OVER chain + 1, IF(began, 0, sequence))) AS missing_frames,
    greatest(0, first_event - coalesce(lag(first_event + events) OVER chain, IF(began, 0, first_event))) AS missing_events
  FROM instances
  WINDOW chain AS (PARTITION BY instance, part ORDER BY sequence)
),
received AS (
  SELECT coalesce(sum(events + missing_events), 0) AS accepted, coalesce(sum(missing_frames), 0) AS frame_gaps
  FROM chains
  WHERE frame_id >= '{{.From.FrameID}}'
),
delivered AS ( -- however late: there is no last hour
  SELECT place[1] AS frame_id, place[2] AS frame_position, min(place[3]) AS shop_id, min(place[4]) AS event_id
  FROM packs CROSS JOIN UNNEST(
    transform(events, e -> ARRAY[e.frame_id, CAST(e.frame_position AS varchar), e.shop_id, e.event_id])
  ) AS t (place)
  WHERE arrival_date >= '{{.Before.Date}}'
    AND arrival_date || 'T' || arrival_hour >= '{{.Before.Hour}}'
    AND place[1] >= '{{.From.FrameID}}' AND place[1] < '{{.To.FrameID}}'
  GROUP BY place[1], place[2]
),
refused AS (
  SELECT
    frame_id, CAST(frame_position AS varchar) AS frame_position,
    min(shop_id) AS shop_id, min(event_id) AS event_id, min(original) AS original
  FROM quarantined
  WHERE "date" BETWEEN '{{.Before.Date}}' AND '{{.To.Date}}'
    AND "date" || 'T' || "hour" BETWEEN '{{.Before.Hour}}' AND '{{.To.Hour}}'
    AND frame_id >= '{{.From.FrameID}}' AND frame_id < '{{.To.FrameID}}'
  GROUP BY frame_id, frame_position
),
rejected AS ( -- sent again, a frame may meet a newer contract
  SELECT *
  FROM refused
  WHERE NOT EXISTS (
    SELECT 1 FROM delivered
    WHERE delivered.frame_id = refused.frame_id AND delivered.frame_position = refused.frame_position
  )
),
positions AS (
  SELECT frame_id, frame_position FROM delivered
  UNION
  SELECT frame_id, frame_position FROM rejected
  UNION -- left out: others of the same batch say the same
  SELECT frame_id, CAST(duplicate AS varchar)
  FROM receipts CROSS JOIN UNNEST(duplicates) AS t (duplicate)
  WHERE "date" BETWEEN '{{.Before.Date}}' AND '{{.To.Date}}'
    AND "date" || 'T' || "hour" BETWEEN '{{.Before.Hour}}' AND '{{.To.Hour}}'
    AND frame_id >= '{{.From.FrameID}}' AND frame_id < '{{.To.FrameID}}'
),
stored AS (
  SELECT
    (SELECT count(*) FROM (SELECT DISTINCT shop_id, event_id FROM delivered)) AS delivered,
    -- what has no readable id is known by its place
    (SELECT count(*) FROM (
      SELECT DISTINCT shop_id, coalesce(event_id, frame_id || '/' || frame_position), original FROM rejected
    )) AS quarantined,
    (SELECT count(*) FROM positions) AS positions,
    (SELECT count(*) FROM positions WHERE frame_id IN (SELECT frame_id FROM frames)) AS receipted
)
SELECT
  accepted,
  delivered,
  quarantined,
  positions - delivered - quarantined AS duplicates,
  accepted - receipted AS residue,
  frame_gaps,
  positions - receipted AS unreceipted
FROM received CROSS JOIN stored
