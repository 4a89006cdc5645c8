package enrich

// Categories of devices.
const (
	Desktop = "desktop"
	Mobile  = "mobile"
	Tablet  = "tablet"
	TV      = "tv"
	Other   = "other"
)

// Classes of bots.
const (
	Crawler = "crawler" // reads for a search engine, a directory, or nobody knows whom
	AI      = "ai"      // reads for a language model or on behalf of its user
	Monitor = "monitor" // checks that the shop is up and fast
	Preview = "preview" // shows a link that somebody shared
	Tool    = "tool"    // an HTTP library or a browser under a program's control
)

// Media of referrers.
const (
	Search   = "search"
	Social   = "social"
	Email    = "email"
	Paid     = "paid"
	Chatbot  = "chatbot"
	Internal = "internal" // the page's own site
	Unknown  = "unknown"  // any other site
)
