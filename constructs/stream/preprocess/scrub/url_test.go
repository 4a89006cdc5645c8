package scrub

import "testing"

func TestURLKeepsWhatIsAllowedAlone(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"nothing to do":       {"https://shop.example/de/p/air-max-90?page=2&sort=price", "https://shop.example/de/p/air-max-90?page=2&sort=price"},
		"click ids":           {"https://shop.example/?gclid=x&utm_source=mail&fbclid=y", "https://shop.example/?utm_source=mail"},
		"all dropped":         {"https://shop.example/a?session=1", "https://shop.example/a"},
		"any case":            {"/a?Q=x&PAGE=2&Token=3", "/a?Q=x&PAGE=2"},
		"user and password":   {"https://anna:secret@shop.example:8443/a", "https://shop.example:8443/a"},
		"user, no scheme":     {"//anna@shop.example/a", "//shop.example/a"},
		"search":              {"/s?q=anna%40example.com+schuhe", "/s?q=%5Bemail%5D+schuhe"},
		"search, twice":       {"/s?q=anna%2540example.com", "/s?q=%5Bemail%5D"},
		"search, full-width":  {"/s?q=anna%EF%BC%A0example.com", "/s?q=%5Bemail%5D"},
		"phone in a search":   {"/s?q=%2B49+170+1234567", "/s?q=%5Bphone%5D"},
		"escaped name":        {"/s?%71=a&e%6Dail=b", "/s?%71=a"},
		"bad escapes":         {"/s?q=%zz&page=1&%zz=2", "/s?page=1"},
		"path":                {"/user/anna@example.com/orders", "/user/%5Bemail%5D/orders"},
		"escaped path":        {"/user/anna%40example.com/", "/user/%5Bemail%5D/"},
		"escaped wide path":   {"/u/anna%EF%BC%A0example.com", "/u/%5Bemail%5D"},
		"+ in a path":         {"/call/+49+1512+3141768", "/call/%5Bphone%5D"},
		"+ in a fragment":     {"/a#+49+1512+3141768", "/a#%5Bphone%5D"},
		"path parameter":      {"/a;jsessionid=123/b", "/a/b"},
		"empty segment":       {"/;a//b", "/;//b"},
		"host in the path":    {"/;a/shop.example", "/;/shop.example"},
		"anchor":              {"/a#reviews", "/a#reviews"},
		"fragment parameters": {"/a#access_token=x&page=2", "/a#page=2"},
		"fragment, all gone":  {"/a#access_token=x", "/a"},
		"fragment route":      {"/a#/user/anna@example.com?token=x&q=y", "/a#/user/%5Bemail%5D?q=y"},
		"fragment, both":      {"/a#token=x?token=y", "/a"},
		"text fragment":       {"/a#:~:text=anna", "/a"},
		"mailto":              {"mailto:anna@example.com?subject=x", "mailto:%5Bemail%5D"},
		"tel":                 {"tel:+491701234567", "tel:%5Bphone%5D"},
		"host":                {"http://203.0.113.77/a", "http://203.0.113.77/a"},
		"no URL":              {"https://shop example/anna@example.com?q=x#y", "https://shop example/%5Bemail%5D"},
		"no URL, host":        {"https://0170 1234567/a?q=x", "https://%5Bphone%5D/a"},
		"no URL, user":        {"https://anna:pw@sh op/?q=x", "https://sh op/"},
		"empty":               {"", ""},
	} {
		if got := URL(c.raw, AllowedParameter); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", name, c.raw, got, c.want)
		}
	}
}

func TestURLAsksForDecodedNames(t *testing.T) {
	var asked []string
	URL("/a?b%20c=1&d=2", func(name string) bool { asked = append(asked, name); return true })
	if len(asked) != 2 || asked[0] != "b c" || asked[1] != "d" {
		t.Errorf("asked for %q", asked)
	}
}

func TestURLDropsPersonalNames(t *testing.T) {
	if got := URL("/a?anna%40example.com=1&b=2", func(string) bool { return true }); got != "/a?b=2" {
		t.Errorf("got %q", got)
	}
}

func TestAllowedParametersAreNoIdentifiers(t *testing.T) {
	for _, name := range []string{"gclid", "gbraid", "wbraid", "fbclid", "msclkid", "ttclid", "dclid", "yclid", "mc_eid", "email", "token", "session", "sid", "order", "order_id", "user", "name", "coupon", "ref", "id", ""} {
		if AllowedParameter(name) {
			t.Errorf("%s is allowed", name)
		}
	}
}
