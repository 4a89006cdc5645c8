package enrich

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/event"
)

func person(category, system, browser string) event.Device {
	return event.Device{Category: category, OperatingSystem: system, Browser: browser}
}

func TestADeviceIsNamedInGA4sWords(t *testing.T) {
	for _, c := range []struct {
		name, userAgent string
		want            event.Device
	}{
		{"Chrome on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", person(Desktop, "Windows", "Chrome")},
		{"Edge", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", person(Desktop, "Windows", "Edge")},
		{"Internet Explorer 11", "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", person(Desktop, "Windows", "Internet Explorer")},
		{"Opera", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/116.0.0.0", person(Desktop, "Windows", "Opera")},
		{"Safari", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", person(Desktop, "Macintosh", "Safari")},
		{"Firefox on Ubuntu", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", person(Desktop, "Linux", "Firefox")},
		{"a Chromebook", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", person(Desktop, "Chrome OS", "Chrome")},
		{"Samsung's browser that asks for desktop pages", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/30.0 Chrome/143.0.0.0 Safari/537.36", person(Desktop, "Linux", "Samsung Internet")},
		{"an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", person(Mobile, "iOS", "Safari")},
		{"Chrome on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/148.0.0.0 Mobile/15E148 Safari/604.1", person(Mobile, "iOS", "Chrome")},
		{"a shopper in Instagram on an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F90 Instagram 339.0.5.12.94 (iPhone15,2; iOS 17_5_1; en_US; en; scale=3.00; 1179x2556; 612011286)", person(Mobile, "iOS", "Safari (in-app)")},
		{"a shopper in Instagram on Android", "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36 Instagram 339.0.0.30.105 Android (34/14; 450dpi; 1080x2131; samsung; SM-A546B; a54x; s5e8835; en_GB; 612011286)", person(Mobile, "Android", "Android Webview")},
		{"Chrome on Android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", person(Mobile, "Android", "Chrome")},
		{"Firefox on Android", "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", person(Mobile, "Android", "Firefox")},
		{"a phone whose brand ends in bot", "Mozilla/5.0 (Linux; Android 10; CUBOT_NOTE_20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", person(Mobile, "Android", "Chrome")},
		{"UC Browser", "Mozilla/5.0 (Linux; U; Android 8.1.0; en-US; CPH1909) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/13.4.0.1306 Mobile Safari/537.36", person(Mobile, "Android", "UC Browser")},
		{"HarmonyOS", "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.0.4.300", person(Mobile, "HarmonyOS", "Huawei Browser")},
		{"an iPad", "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1", person(Tablet, "iOS", "Safari")},
		{"an iPad that claims to be a Mac is a Mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", person(Desktop, "Macintosh", "Safari")},
		{"an Android tablet", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", person(Tablet, "Android", "Chrome")},
		{"a Fire tablet", "Mozilla/5.0 (Linux; Android 11; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/126.4.1 like Chrome/126.0.6478.186 Safari/537.36", person(Tablet, "Android", "Amazon Silk")},
		{"a Samsung TV", "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV Safari/537.36", person(TV, "Tizen", "")},
		{"an LG TV", "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager", person(TV, "webOS", "Chrome")},
		{"a Sony TV", "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S38) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.125 Safari/537.36", person(TV, "Android", "Chrome")},
		{"a Fire TV stick", "Mozilla/5.0 (Linux; Android 9; AFTWMST22 Build/PS7233; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/88.0.4324.152 Mobile Safari/537.36", person(TV, "Android", "Android Webview")},
		{"a console", "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15", person(Other, "", "Safari")},
		{"an app of Android's", "Dalvik/2.1.0 (Linux; U; Android 9; SM-G960F Build/PPR1.180610.011)", person(Mobile, "Android", "")},
		{"nothing", "", event.Device{}},
		{"a browser that nobody knows", "jane.doe@example.com/1.0 (+4915112345678)", person(Other, "", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := DeviceOf(c.userAgent); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestABotIsToldByWhatItIsThereFor(t *testing.T) {
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.6778.69 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": Crawler,
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)":                                                                                                 Crawler,
		"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)":                                                                                                      Crawler,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)": Crawler,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)":                                                                  AI,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)":                                             AI,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)":                                                                 AI,
		"meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)":                                                                               AI,
		"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)":                                                                                                  Monitor,
		"Amazon-Route53-Health-Check-Service (ref 00000000-0000-0000-0000-000000000000; report http://amzn.to/1vsZADi)":                                                           Monitor,
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)":                                                                                               Preview,
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)":                                                                                                              Preview,
		"curl/8.5.0":             Tool,
		"python-requests/2.32.3": Tool,
		"okhttp/4.12.0":          Tool,
		"Go-http-client/2.0":     Tool,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36": Tool,
	} {
		if got := DeviceOf(userAgent).Bot; got != want {
			t.Errorf("%q is %q, want %q", userAgent, got, want)
		}
	}
}

func TestOneInAThousandRealUserAgentsGetsTheWrongCategoryAtMost(t *testing.T) {
	var right, all float64
	devices := map[string]event.Device{} // 952 of 10,000 differ
	for _, row := range intoli(t) {
		device, known := devices[row.userAgent]
		if !known {
			device = parse(row.userAgent)
			devices[row.userAgent] = device
		}
		all += row.weight
		if device.Category == row.category {
			right += row.weight
		} else {
			t.Logf("%s is %s, want %s", row.userAgent, device.Category, row.category)
		}
		if device.Bot != "" || device.OperatingSystem == "" || device.Browser == "" {
			t.Errorf("%s is a person's, got %+v", row.userAgent, device)
		}
	}
	t.Logf("%.5f of the traffic gets its category", right/all)
	if right/all < 0.999 {
		t.Errorf("%.5f of the traffic gets its category, want 0.999", right/all)
	}
}

func TestALongUserAgentIsCut(t *testing.T) {
	long := "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1 " + strings.Repeat("(", 1<<20)
	if got, want := DeviceOf(long), (person(Mobile, "iOS", "Safari")); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if DeviceOf(strings.Repeat("\xff/;(", 1<<18)).Category != Other {
		t.Error("a megabyte of garbage is a device")
	}
}

type weighted struct {
	weight              float64
	category, userAgent string
}

// intoli reads user agents weighted as in real traffic.
func intoli(t testing.TB) []weighted {
	f, err := os.Open("../../../../../shared/data/user-agents/intoli-weighted.tsv")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs shared/data/user-agents beside the repository")
	}
	defer f.Close()
	var rows []weighted
	for lines := bufio.NewScanner(f); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		weight, err := strconv.ParseFloat(columns[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, weighted{weight, columns[1], columns[3]})
	}
	return rows
}

func FuzzDeviceOf(f *testing.F) {
	for _, userAgent := range []string{"", "Mozilla/5.0 (Linux; Android 10; K) Chrome/1 Safari/1", "a/b;(c[d]", "http://x", ":/;)(", "Instagram ", "\xff", "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X"} {
		f.Add(userAgent)
	}
	words := map[string]bool{"": true, "Tizen": true, "webOS": true, "Chrome": true, "Safari (in-app)": true}
	for _, word := range systems {
		words[word] = true
	}
	for _, word := range browsers {
		words[word] = true
	}
	for _, m := range marks {
		words[m.browser] = true
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		device := DeviceOf(userAgent)
		if !words[device.OperatingSystem] || !words[device.Browser] {
			t.Errorf("%q puts its own words into %+v", userAgent, device)
		}
		if device != DeviceOf(userAgent) {
			t.Errorf("%q is another device the second time", userAgent)
		}
	})
}

func BenchmarkDeviceOf(b *testing.B) {
	rows := intoli(b)
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			parse(rows[i*7919%len(rows)].userAgent)
		}
	})
	b.Run("garbage", func(b *testing.B) {
		garbage := strings.Repeat("/;(", MaxUserAgent/3)
		for b.Loop() {
			parse(garbage)
		}
	})
}
