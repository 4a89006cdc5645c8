-- Revenue of the last 30 days by shop, day and currency, each order once: as the shop's server told it, else as the browser did.
WITH orders AS (
  SELECT
    shop_id, event_date, type,
    "order".currency AS currency,
    "order"."value" AS amount,
    row_number() OVER (
      PARTITION BY shop_id, type, "order".transaction_id, IF(type = 'refund', event_id)
      ORDER BY IF(trust = 'server', 0, 1), event_time
    ) AS place
  FROM events
  WHERE event_date >= current_date - INTERVAL '30' DAY
    AND type IN ('purchase', 'refund')
)
SELECT
  shop_id, event_date, currency,
  count_if(type = 'purchase') AS purchases,
  sum(IF(type = 'purchase', amount, -amount)) AS revenue
FROM orders
WHERE place = 1
GROUP BY shop_id, event_date, currency
ORDER BY event_date DESC, revenue DESC
