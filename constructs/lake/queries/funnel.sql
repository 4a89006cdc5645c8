-- Sessions of the last 7 days by shop and how far they came on the way to a purchase.
SELECT
  shop_id,
  count(DISTINCT session_id) AS sessions,
  count(DISTINCT CASE WHEN type = 'product_view' THEN session_id END) AS saw_a_product,
  count(DISTINCT CASE WHEN type = 'add_to_cart' THEN session_id END) AS filled_a_cart,
  count(DISTINCT CASE WHEN type = 'checkout_step' THEN session_id END) AS began_a_checkout,
  count(DISTINCT CASE WHEN type = 'purchase' THEN session_id END) AS bought
FROM events
WHERE event_date >= current_date - INTERVAL '7' DAY
  AND session_id IS NOT NULL
GROUP BY shop_id
ORDER BY sessions DESC
