package enrich

import (
	"strings"

	"github.com/x-way/crawlerdetect"
)

// botClass returns what a user agent that isn't a person's is there for, or
// nothing. The lists here only tell classes apart; whether an agent is a bot
// at all, crawlerdetect's list of over a thousand says.
func botClass(userAgent string) string {
	lower := strings.ToLower(userAgent)
	for _, bots := range named {
		if containsAny(lower, bots.names) {
			return bots.class
		}
	}
	for _, tool := range libraries {
		if strings.HasPrefix(lower, tool) {
			return Tool
		}
	}
	if crawlerdetect.IsCrawler(userAgent) {
		return Crawler
	}
	return ""
}

// named are the bots that name themselves somewhere in their user agents, in
// lower case, as their operators document them.
var named = []struct {
	class string
	names []string
}{
	{AI, []string{
		"gptbot", "oai-searchbot", "chatgpt-user", // OpenAI
		"claudebot", "claude-user", "claude-searchbot", "anthropic-ai", // Anthropic
		"perplexitybot", "perplexity-user",
		"google-cloudvertexbot", "google-notebooklm", "gemini-deep-research",
		"meta-externalagent", "meta-externalfetcher",
		"amazonbot", "bytespider", "ccbot/", "cohere-ai", "diffbot", "duckassistbot", "mistralai-user", "youbot", "ai2bot",
	}},
	{Monitor, []string{
		"uptimerobot", "pingdom", "statuscake", "site24x7", "better uptime", "betterstack", "checkly", "uptime-kuma", "hetrixtools", "freshping",
		"datadogsynthetics", "newrelic", "catchpoint", "cloudwatchsynthetics", "route53-health-check", "elb-healthchecker",
		"googlestackdrivermonitoring", "googlehc/", "chrome-lighthouse", "gtmetrix", "ptst/",
	}},
	{Preview, []string{
		"facebookexternalhit", "twitterbot", "linkedinbot", "slackbot", "slack-imgproxy", "discordbot", "telegrambot",
		"skypeuripreview", "redditbot", "vkshare", "embedly", "iframely", "bluesky cardyb",
	}},
	{Tool, []string{"headlesschrome", "phantomjs", "puppeteer", "playwright", "selenium", "cypress/"}},
}

// libraries are how the user agents of HTTP libraries and clients begin.
var libraries = []string{
	"curl/", "wget/", "httpie/", "postmanruntime/", "insomnia/", "k6/", "apachebench/",
	"python-requests/", "python-urllib/", "python-httpx/", "python/", "aiohttp/", "scrapy/",
	"go-http-client/", "okhttp/", "apache-httpclient/", "java/", "java-http-client/", "axios/", "node-fetch", "node", "undici", "got ",
	"libwww-perl/", "ruby", "php/", "guzzlehttp/", "dart/", "reqwest/",
}
