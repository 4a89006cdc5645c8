package enrich

import (
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
)

// known are the sites that shoppers come from. Names, media and domains are
// what the sites themselves use; the media and the distinction between a
// search engine and its owner's other services follow Snowplow's referer
// database. A domain covers the hosts below it unless a longer one is listed;
// .* is any country's; what begins with com. or ai. is an Android app.
var known = []struct{ medium, source, domains string }{
	{Search, "Google", "google.* com.google.android.googlequicksearchbox"},
	{Search, "Bing", "bing.com"},
	{Search, "Yahoo!", "yahoo.*"},
	{Search, "DuckDuckGo", "duckduckgo.com"},
	{Search, "Ecosia", "ecosia.org"},
	{Search, "Baidu", "baidu.com"},
	{Search, "Yandex", "yandex.* ya.ru"},
	{Search, "Naver", "naver.com"},
	{Search, "Daum", "daum.net"},
	{Search, "Seznam", "seznam.cz"},
	{Search, "Qwant", "qwant.com"},
	{Search, "Startpage", "startpage.com"},
	{Search, "Brave", "search.brave.com"},
	{Search, "Kagi", "kagi.com"},
	{Search, "Mojeek", "mojeek.com"},
	{Search, "Swisscows", "swisscows.com"},
	{Search, "Ask", "ask.com"},
	{Search, "AOL", "search.aol.com"},
	{Search, "Sogou", "sogou.com"},
	{Search, "360", "so.com"},
	{Search, "Petal Search", "petalsearch.com"},
	{Search, "Coc Coc", "coccoc.com"},
	{Search, "T-Online", "suche.t-online.de"},
	{Search, "Lilo", "lilo.org"},

	{Social, "Facebook", "facebook.com fb.com fb.me com.facebook.katana"},
	{Social, "Instagram", "instagram.com com.instagram.android"},
	{Social, "Threads", "threads.net threads.com"},
	{Social, "Messenger", "messenger.com m.me com.facebook.orca"},
	{Social, "WhatsApp", "whatsapp.com wa.me com.whatsapp"},
	{Social, "X", "x.com twitter.com t.co com.twitter.android"},
	{Social, "Bluesky", "bsky.app"},
	{Social, "Mastodon", "mastodon.social mastodon.online"},
	{Social, "LinkedIn", "linkedin.com lnkd.in com.linkedin.android"},
	{Social, "Pinterest", "pinterest.* pin.it com.pinterest"},
	{Social, "Reddit", "reddit.com redd.it com.reddit.frontpage"},
	{Social, "TikTok", "tiktok.com com.zhiliaoapp.musically"},
	{Social, "YouTube", "youtube.com youtu.be com.google.android.youtube"},
	{Social, "Snapchat", "snapchat.com com.snapchat.android"},
	{Social, "Telegram", "telegram.org t.me org.telegram.messenger"},
	{Social, "Discord", "discord.com discord.gg discordapp.com"},
	{Social, "Tumblr", "tumblr.com"},
	{Social, "Quora", "quora.com"},
	{Social, "Xing", "xing.com"},
	{Social, "Vkontakte", "vk.com"},
	{Social, "Odnoklassniki", "ok.ru"},
	{Social, "Weibo", "weibo.com weibo.cn"},
	{Social, "LINE", "line.me"},
	{Social, "Twitch", "twitch.tv"},

	{Email, "Gmail", "mail.google.com com.google.android.gm"},
	{Email, "Outlook.com", "outlook.live.com outlook.office.com outlook.office365.com mail.live.com com.microsoft.office.outlook"},
	{Email, "Yahoo! Mail", "mail.yahoo.com mail.yahoo.co.jp"},
	{Email, "AOL Mail", "mail.aol.com"},
	{Email, "iCloud Mail", "icloud.com"},
	{Email, "Proton Mail", "mail.proton.me"},
	{Email, "GMX", "navigator.gmx.net deref-gmx.net deref-gmx.com"},
	{Email, "WEB.DE", "navigator.web.de deref-web-02.de deref-web.de"},
	{Email, "Mail.ru", "e.mail.ru"},
	{Email, "Yandex Mail", "mail.yandex.ru mail.yandex.com"},
	{Email, "QQ Mail", "mail.qq.com"},
	{Email, "Naver Mail", "mail.naver.com"},
	{Email, "Seznam Mail", "email.seznam.cz"},

	{Paid, "Google", "doubleclick.net googlesyndication.com googleadservices.com syndicatedsearch.goog"},
	{Paid, "Criteo", "criteo.com criteo.net"},
	{Paid, "Taboola", "taboola.com"},
	{Paid, "Outbrain", "outbrain.com"},

	{Chatbot, "ChatGPT", "chatgpt.com chat.openai.com com.openai.chatgpt"},
	{Chatbot, "Gemini", "gemini.google.com com.google.android.apps.bard"},
	{Chatbot, "Claude", "claude.ai com.anthropic.claude"},
	{Chatbot, "Perplexity", "perplexity.ai ai.perplexity.app.android"},
	{Chatbot, "Copilot", "copilot.microsoft.com copilot.com"},
	{Chatbot, "Mistral", "chat.mistral.ai"},
	{Chatbot, "DeepSeek", "chat.deepseek.com"},
	{Chatbot, "Grok", "grok.com"},
	{Chatbot, "Meta AI", "meta.ai"},

	{Unknown, "Google", "accounts.google.com docs.google.com drive.google.com groups.google.com maps.google.com news.google.com sites.google.com support.google.com"},
	{Unknown, "Yahoo!", "finance.yahoo.com news.yahoo.com sports.yahoo.com shopping.yahoo.com"},
}

// sites and brands are known by domain and, for .*, by the label before it.
var sites, brands = func() (map[string]event.Referrer, map[string]event.Referrer) {
	sites, brands := map[string]event.Referrer{}, map[string]event.Referrer{}
	for _, k := range known {
		for domain := range strings.FieldsSeq(k.domains) {
			if brand, any := strings.CutSuffix(domain, ".*"); any {
				brands[brand] = event.Referrer{Medium: k.medium, Source: k.source}
			} else {
				sites[domain] = event.Referrer{Medium: k.medium, Source: k.source}
			}
		}
	}
	return sites, brands
}()
