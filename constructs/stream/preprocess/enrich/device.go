// Package enrich derives from an event what its sender doesn't say in so many
// words: device, referrer, campaign and the time it happened. Preprocess calls
// it for every event; nothing in it does I/O, and its cost grows at most
// linearly with the input.
package enrich

import (
	"strings"

	"github.com/mileusna/useragent"

	"github.com/shopstream/shopstream/constructs/event"
)

// MaxUserAgent is how many bytes of a user agent are looked at. Browsers send
// fewer than 300, apps that embed one up to 500.
const MaxUserAgent = 512

// DeviceOf returns the device that a user agent claims to be; an empty agent is
// an empty Device. A claim is all it is: an iPad that asks for desktop pages
// can't be told from a Mac, and a bot that poses as a browser is a person. It
// takes as long as all the rest that is done with an event: callers remember
// the answers.
func DeviceOf(userAgent string) event.Device {
	if userAgent == "" {
		return event.Device{}
	}
	return parse(userAgent[:min(len(userAgent), MaxUserAgent)])
}

func parse(userAgent string) event.Device {
	ua := useragent.Parse(userAgent)
	// The library takes Samsung's browser for Android on desktops and TVs too.
	if ua.OS == useragent.Android && !strings.Contains(userAgent, "Android") {
		ua.OS, ua.Mobile, ua.Tablet, ua.Desktop = useragent.Linux, false, false, true
	}
	return event.Device{
		Category:        category(userAgent, ua),
		OperatingSystem: operatingSystem(userAgent, ua),
		Browser:         browser(userAgent, ua),
		Bot:             botClass(userAgent),
	}
}

// tvs are what the user agents of televisions, sticks and set-top boxes hold.
var tvs = []string{
	"SMART-TV", "SmartTV", "Smart-TV", "Smart TV", " TV Safari", "HbbTV", "Web0S", "NetCast", "AppleTV", "Apple TV",
	"GoogleTV", "Google TV", "Android TV", "BRAVIA", "; AFT", "CrKey", "Roku", "VIDAA", "Viera", "VIERA", "PhilipsTV",
}

func category(userAgent string, ua useragent.UserAgent) string {
	switch {
	case containsAny(userAgent, tvs):
		return TV
	case ua.Tablet:
		return Tablet
	// Android's browsers say Mobile on phones only.
	case ua.OS == useragent.Android && strings.Contains(userAgent, "Safari/") && !strings.Contains(userAgent, "Mobile"):
		return Tablet
	case ua.Mobile:
		return Mobile
	case ua.Desktop:
		return Desktop
	}
	return Other
}

// systems are the library's names of operating systems in GA4's words.
var systems = map[string]string{
	useragent.Windows:      "Windows",
	useragent.WindowsPhone: "Windows Phone",
	useragent.MacOS:        "Macintosh",
	useragent.IOS:          "iOS",
	useragent.Android:      "Android",
	useragent.Linux:        "Linux",
	useragent.ChromeOS:     "Chrome OS",
	useragent.FreeBSD:      "FreeBSD",
	useragent.BlackBerry:   "BlackBerry",
	useragent.Harmony:      "HarmonyOS",
}

func operatingSystem(userAgent string, ua useragent.UserAgent) string {
	switch {
	case strings.Contains(userAgent, "Tizen"):
		return "Tizen"
	case strings.Contains(userAgent, "Web0S"): // a zero, so that nobody takes it for a phone of that name
		return "webOS"
	}
	return systems[ua.OS]
}

// marks tell browsers that the library takes for the engine they embed.
var marks = []struct{ mark, browser string }{
	{"; wv)", "Android Webview"},
	{"GSA/", "Safari (in-app)"},
	{"Silk/", "Amazon Silk"},
	{"UCBrowser/", "UC Browser"},
	{"YaBrowser/", "YaBrowser"},
	{"Whale/", "Whale Browser"},
	{"HuaweiBrowser/", "Huawei Browser"},
	{"MiuiBrowser/", "Mi Browser"},
	{"DuckDuckGo/", "DuckDuckGo"},
	{"Ddg/", "DuckDuckGo"},
	{"Trident/", "Internet Explorer"}, // 11 no longer says MSIE
}

// browsers are the library's names of browsers in GA4's words. A name that
// isn't here was taken from the user agent, where anything may stand.
var browsers = map[string]string{
	useragent.Chrome:           "Chrome",
	useragent.HeadlessChrome:   "Chrome",
	useragent.Firefox:          "Firefox",
	useragent.Safari:           "Safari",
	useragent.Edge:             "Edge",
	useragent.InternetExplorer: "Internet Explorer",
	useragent.Opera:            "Opera",
	useragent.OperaTouch:       "Opera",
	useragent.OperaMini:        "Opera Mini",
	useragent.SamsungBrowser:   "Samsung Internet",
	useragent.Vivaldi:          "Vivaldi",
}

func browser(userAgent string, ua useragent.UserAgent) string {
	for _, m := range marks {
		if strings.Contains(userAgent, m.mark) {
			return m.browser
		}
	}
	switch name, known := browsers[ua.Name]; {
	case known:
		return name
	case strings.Contains(userAgent, "Chrome/"):
		return "Chrome"
	case ua.OS == useragent.IOS && strings.Contains(userAgent, "AppleWebKit/"):
		return "Safari (in-app)"
	}
	return ""
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
