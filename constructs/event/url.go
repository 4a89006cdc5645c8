package event

// URLParameters are the query parameters that a shop's or a referrer's URL
// keeps, in lower case: those that say what a page shows or which campaign led
// there. All others go, and so does what is personal by design: the ids of
// clicks (gclid, fbclid, msclkid, …), of sessions, of orders and of recipients,
// tokens and coupon codes. The tracker drops them before they are sent,
// preprocess before they are stored.
var URLParameters = []string{
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id",
	"utm_source_platform", "utm_creative_format", "utm_marketing_tactic", // campaign
	"q", "query", "s", "search", "search_query", "keyword", "keywords", // search
	"page", "p", "per_page", "limit", "offset", "sort", "sort_by", "order_by", "dir", "direction", "view", "tab", // list
	"category", "cat", "collection", "brand", "color", "colour", "size", "material", "style", "tag", "filter",
	"price", "min_price", "max_price", "price_min", "price_max", "rating", "availability", "in_stock", // filters
	"product", "product_id", "variant", "sku", // product
	"lang", "language", "locale", "country", "currency",
}
