// Package shop is a small shop of outdoor gear that carries the tracker as a
// customer's would: the demo shows it, and browsers are driven through it.
package shop

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/shopstream/shopstream/internal/asset"
)

// Key is the publishable key of the demo's shop, ID what its events are stored
// under.
const (
	Key = "pk_summit"
	ID  = "summit"
)

// Options say whose events go where.
type Options struct {
	Collector string            // required; its URL
	Key       string            // required; publishable
	Settings  map[string]string // of the tracker, such as "data-consent"; default its own
}

//go:embed catalogue.json pages static
var files embed.FS

type product struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Brand    string   `json:"brand"`
	Category string   `json:"category"`
	Price    string   `json:"price"`
	Was      string   `json:"was"`
	Rating   string   `json:"rating"`
	Text     string   `json:"text"`
	Points   []string `json:"points"`
	Shape    string   `json:"shape"`
	Hue      int      `json:"hue"`
}

// Stars are the ratings that a shopper may give.
func (product) Stars() []int { return []int{1, 2, 3, 4, 5} }

type category struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type catalogue struct {
	Categories []category `json:"categories"`
	Products   []product  `json:"products"`
	Featured   []string   `json:"featured"`
}

// page is what a template shows.
type page struct {
	Title      string
	Name       string // of its template
	Settings   map[string]string
	Release    asset.Tracker
	Categories []category
	List       string // id
	Term       string
	Products   []product
	Product    product
	Linked     map[string]any // JSON-LD
	Step       string         // of the checkout
}

type server struct {
	options   Options
	release   asset.Tracker
	catalogue catalogue
	pages     map[string]*template.Template
	mux       *http.ServeMux
	policy    string
}

// New returns the shop. Its Content-Security-Policy allows what it needs and
// nothing else: the tracker asks for no more than its own address and the
// collector's.
func New(o Options) (http.Handler, error) {
	s := &server{options: o, pages: map[string]*template.Template{}, mux: http.NewServeMux()}
	var err error
	if s.release, err = asset.FindTracker(); err != nil {
		return nil, err
	}
	root, err := asset.Root()
	if err != nil {
		return nil, err
	}
	b, err := files.ReadFile("catalogue.json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &s.catalogue); err != nil {
		return nil, fmt.Errorf("catalogue.json: %w", err)
	}
	for _, name := range []string{"home", "list", "product", "cart", "checkout", "thanks"} {
		if s.pages[name], err = template.ParseFS(files, "pages/layout.html", "pages/"+name+".html"); err != nil {
			return nil, err
		}
	}
	collector, err := url.Parse(o.Collector)
	if err != nil {
		return nil, err
	}
	s.policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src " + collector.Scheme + "://" + collector.Host +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	s.mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	s.mux.HandleFunc("GET /t/{release}/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, os.DirFS(asset.TrackerDir(root)), r.PathValue("file"))
	})
	s.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.mux.HandleFunc("GET /{$}", s.home)
	s.mux.HandleFunc("GET /search", s.search)
	s.mux.HandleFunc("GET /list/{category}", s.list)
	s.mux.HandleFunc("GET /product/{id}", s.product)
	s.mux.HandleFunc("GET /cart", func(w http.ResponseWriter, _ *http.Request) { s.show(w, page{Name: "cart", Title: "Your cart"}) })
	s.mux.HandleFunc("GET /checkout/{step}", s.checkout)
	s.mux.HandleFunc("GET /thanks", func(w http.ResponseWriter, _ *http.Request) { s.show(w, page{Name: "thanks", Title: "Thank you"}) })
	return s, nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", s.policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
	s.mux.ServeHTTP(w, r)
}

func (s *server) show(w http.ResponseWriter, p page) {
	p.Release, p.Categories = s.release, s.catalogue.Categories
	p.Settings = map[string]string{"data-shop": s.options.Key, "data-endpoint": s.options.Collector, "data-currency": "EUR", "data-error-percent": "100"}
	for name, value := range s.options.Settings {
		p.Settings[name] = value
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = s.pages[p.Name].ExecuteTemplate(w, "layout", p) // the browser has gone: nobody to tell
}

// Tag are the settings as attributes of the script's tag.
func (p page) Tag() template.HTMLAttr {
	var b strings.Builder
	for name, value := range p.Settings {
		fmt.Fprintf(&b, ` %s="%s"`, name, template.HTMLEscapeString(value))
	}
	return template.HTMLAttr(b.String())
}

func (s *server) home(w http.ResponseWriter, _ *http.Request) {
	var featured []product
	for _, id := range s.catalogue.Featured {
		if p, ok := s.find(id); ok {
			featured = append(featured, p)
		}
	}
	s.show(w, page{Name: "home", Title: "Gear for the way up", List: "featured", Products: featured})
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	for _, c := range s.catalogue.Categories {
		if c.ID == r.PathValue("category") {
			s.show(w, page{Name: "list", Title: c.Name, List: c.ID, Products: s.those(func(p product) bool { return p.Category == c.ID })})
			return
		}
	}
	http.NotFound(w, r)
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	term := strings.TrimSpace(r.URL.Query().Get("q"))
	found := s.those(func(p product) bool {
		return strings.Contains(strings.ToLower(p.Name+" "+p.Brand+" "+p.Category+" "+p.Text), strings.ToLower(term))
	})
	s.show(w, page{Name: "list", Title: "Results for “" + term + "”", Term: term, List: "search_results", Products: found})
}

func (s *server) product(w http.ResponseWriter, r *http.Request) {
	p, ok := s.find(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.show(w, page{Name: "product", Title: p.Name, Product: p, Products: s.those(func(other product) bool { return other.Category == p.Category && other.ID != p.ID }), Linked: map[string]any{
		"@context": "https://schema.org", "@type": "Product", "sku": p.ID, "name": p.Name, "category": p.Category,
		"brand":  map[string]string{"@type": "Brand", "name": p.Brand},
		"offers": map[string]string{"@type": "Offer", "price": p.Price, "priceCurrency": "EUR", "availability": "https://schema.org/InStock"},
	}})
}

func (s *server) checkout(w http.ResponseWriter, r *http.Request) {
	switch step := r.PathValue("step"); step {
	case "shipping", "payment":
		s.show(w, page{Name: "checkout", Title: "Checkout", Step: step})
	default:
		http.NotFound(w, r)
	}
}

func (s *server) find(id string) (product, bool) {
	for _, p := range s.catalogue.Products {
		if p.ID == id {
			return p, true
		}
	}
	return product{}, false
}

func (s *server) those(wanted func(product) bool) (found []product) {
	for _, p := range s.catalogue.Products {
		if wanted(p) {
			found = append(found, p)
		}
	}
	return found
}
