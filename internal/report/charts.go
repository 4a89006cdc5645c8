package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	chart "github.com/go-analyze/charts"

	"github.com/shopstream/shopstream/internal/ledger"
)

// charts are the page's; one without data is nil.
type charts struct {
	Types, Funnel, Minutes, Shops *figure
}

// figure is a chart and what it says.
type figure struct {
	Title   string
	Note    string        // beside the title
	Summary string        // for who cannot see it
	Wide    template.HTML // SVG
	Narrow  template.HTML // SVG; "" where Wide suits a phone too
}

const (
	fullWidth  = 1000 // of the page
	halfWidth  = 440  // readable on a phone
	rowHeight  = 32
	lineHeight = 260
	textSize   = 10
	maxLabel   = 20 // characters
	labelGap   = 14 // between a name and its bar; a reader's font may be wider than the library's
)

// Colors are drawn as these and replaced by the page's, which follow the
// reader's color scheme.
var (
	ink    = chart.Color{R: 1, A: 255}
	faint  = chart.Color{R: 2, A: 255}
	rule   = chart.Color{R: 3, A: 255}
	paper  = chart.Color{R: 4, A: 255}
	accent = chart.Color{R: 5, A: 255}

	palette = chart.GetTheme(chart.ThemeLight).WithBackgroundColor(paper).WithSeriesColors([]chart.Color{accent}).
		WithXAxisColor(rule).WithYAxisColor(rule).WithAxisSplitLineColor(rule).
		WithXAxisTextColor(faint).WithYAxisTextColor(faint).WithLabelTextColor(ink)

	forPage = strings.NewReplacer(
		` xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"`, "", // HTML knows SVG
		ink.StringRGB(), "var(--ink)", faint.StringRGB(), "var(--faint)", rule.StringRGB(), "var(--rule)",
		paper.StringRGB(), "none", accent.StringRGB(), "var(--accent)", accent.WithAlpha(50).StringRGBA(), "var(--area)",
	)
)

func draw(s ledger.Statement) (charts, error) {
	var c charts
	var err error
	types := bars{title: "Events by type"}
	for _, t := range s.Types {
		types.add(t.Type, t.Events)
	}
	if c.Types, err = types.draw(); err != nil {
		return c, err
	}
	funnel := bars{title: "How far sessions came", row: 44}
	for _, f := range s.Funnel {
		funnel.add(f.Step, f.Sessions)
		funnel.whole = s.Funnel[0].Sessions
	}
	if c.Funnel, err = funnel.draw(); err != nil {
		return c, err
	}
	shops := bars{title: "Events by shop", row: 36} // as high as the table beside it
	if len(s.Shops) > 1 {
		largest, _ := cut(s.Shops, maxShops)
		for _, shop := range largest {
			shops.add(shop.Shop, shop.Events)
		}
	}
	if c.Shops, err = shops.draw(); err != nil {
		return c, err
	}
	minutes, err := newSeries(s.Minutes)
	if err != nil {
		return c, err
	}
	c.Minutes, err = minutes.draw()
	return c, err
}

// bars are horizontal ones, the first on top.
type bars struct {
	title  string
	row    int   // height; default rowHeight
	whole  int64 // of which each value is a share; 0 where they are none
	names  []string
	values []float64
	told   []string
}

func (b *bars) add(name string, n int64) {
	b.names = append(b.names, label(name))
	b.values = append(b.values, float64(n))
	b.told = append(b.told, name+" "+b.value(float64(n)))
}

func (b *bars) value(n float64) string {
	if b.whole > 0 {
		return number(int64(n)) + " · " + share(int64(n), b.whole)
	}
	return number(int64(n))
}

func (b *bars) draw() (*figure, error) {
	if sum(b.values) == 0 {
		return nil, nil
	}
	slices.Reverse(b.names) // the library draws upwards
	slices.Reverse(b.values)
	o := chart.NewBarChartOptionWithData([][]float64{b.values})
	o.Horizontal, o.Theme, o.BarSize = true, palette, 0.62
	o.Padding = chart.Box{Left: labelGap, Right: 24 + 8*utf8.RuneCountInString(b.value(slices.Max(b.values))), IsSet: true}
	o.CategoryAxis.Labels, o.CategoryAxis.LabelOffset = b.names, chart.OffsetInt{Left: -labelGap}
	o.CategoryAxis.LabelFontStyle = chart.FontStyle{FontSize: textSize, FontColor: ink}
	o.ValueAxis = []chart.ValueAxisOption{{Show: chart.Ptr(false), SplitLineShow: chart.Ptr(false), Min: chart.Ptr(0.0), Max: chart.Ptr(slices.Max(b.values)), RangeValuePaddingScale: chart.Ptr(0.0)}}
	o.SeriesList[0].Label = chart.SeriesLabel{
		Show: chart.Ptr(true), FontStyle: chart.FontStyle{FontSize: textSize, FontColor: ink},
		ValueFormatter: b.value,
	}
	svg, err := render(halfWidth, cmp.Or(b.row, rowHeight)*len(b.values), func(p *chart.Painter) error { return p.BarChart(o) })
	if err != nil {
		return nil, fmt.Errorf("draw %q: %w", b.title, err)
	}
	return &figure{Title: b.title, Summary: b.title + ": " + strings.Join(b.told, ", ") + ".", Wide: svg}, nil
}

func (s series) draw() (*figure, error) {
	if len(s.events) == 0 {
		return nil, nil
	}
	f := &figure{Title: s.title(), Note: s.when(), Summary: s.summary()}
	var err error
	if f.Wide, err = s.line(fullWidth, 9); err == nil {
		f.Narrow, err = s.line(halfWidth, 4)
	}
	if err != nil {
		return nil, fmt.Errorf("draw %q: %w", f.Title, err)
	}
	return f, nil
}

func (s series) line(width, labels int) (template.HTML, error) {
	events, names := s.events, s.labels(labels)
	if len(events) == 1 { // one point is no line
		events, names = []float64{events[0], events[0]}, []string{names[0], ""}
	}
	o := chart.NewLineChartOptionWithData([][]float64{events})
	o.Theme, o.Padding = palette.WithXAxisColor(paper), chart.Box{Top: 10, Right: 10, IsSet: true}
	o.FillArea, o.FillOpacity, o.LineStrokeWidth = chart.Ptr(true), 50, 2
	o.Symbol = chart.Symbol{Shape: chart.SymbolNone}
	o.XAxis.Labels, o.XAxis.LabelCount, o.XAxis.BoundaryGap = names, len(names), chart.Ptr(false)
	o.XAxis.LabelFontStyle = chart.FontStyle{FontSize: textSize, FontColor: faint}
	o.XAxis.LabelOffset = chart.OffsetInt{Left: -16} // half a label: below its point, not beside it
	top, ticks := scale(slices.Max(events))
	o.YAxis = []chart.YAxisOption{{
		Min: chart.Ptr(0.0), Max: &top, LabelCount: ticks, RangeValuePaddingScale: chart.Ptr(0.0),
		LabelFontStyle: chart.FontStyle{FontSize: textSize, FontColor: faint},
		ValueFormatter: func(n float64) string { return number(int64(n)) },
	}}
	return render(width, lineHeight, func(p *chart.Painter) error { return p.LineChart(o) })
}

// scale ends an axis from 0 at a round number and divides it at round ones.
func scale(most float64) (top float64, ticks int) {
	unit := 1.0
	for i := 0; most > 5*unit; i++ {
		unit *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, ...
	}
	spaces := max(math.Ceil(most/unit), 1)
	return spaces * unit, int(spaces) + 1
}

func render(width, height int, paint func(*chart.Painter) error) (template.HTML, error) {
	p := chart.NewPainter(chart.PainterOptions{OutputFormat: chart.ChartOutputSVG, Width: width, Height: height})
	if err := paint(p); err != nil {
		return "", err
	}
	svg, err := p.Bytes()
	return template.HTML(forPage.Replace(string(svg))), err
}

// label makes a name fit a chart. The drawing library does not escape.
func label(name string) string {
	return template.HTMLEscapeString(shorten(strings.Join(strings.Fields(name), " "), maxLabel))
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}
