-- Events of the last 7 days that broke the contract by shop and reason, and an example's message.
SELECT
  shop_id, reason, pointer,
  count(*) AS events,
  max(received_at) AS last_received,
  arbitrary(message) AS example
FROM quarantined
WHERE "date" >= CAST(current_date - INTERVAL '7' DAY AS varchar)
GROUP BY shop_id, reason, pointer
ORDER BY events DESC
