package scrub

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// TestFinds covers each kind in the ways that people write it. What is in
// braces is the match.
func TestFinds(t *testing.T) {
	for kind, texts := range map[Kind][]string{
		Email: {
			"{anna@example.com}", "mail an {anna.maria+shop@mail.example.co.uk}, danke", "<{a_b-c@x-y.io}>", "mailto:{a@b.de}",
			"{o'brien@example.ie}", "{jörg@müller.de}", "{анна@пример.рф}", "{a@xn--mller-kva.de}", "{anna%40example.com}",
			"{anna%2Bshop%40example.com}", "q={anna@example.com}&page=2", "{\"anna b\"@example.com}", "{a@[192.0.2.1]}",
			"{anna＠example．com}", "{an\u200bna@exam\u00adple.com}", "({anna@example.com}).", "anna@{b@example.com}", "{0171.2345678@web.de}",
		},
		Card: {
			"{4111111111111111}", "visa {4111 1111 1111 1111} 12/27", "{5500-0000-0000-0004}", "{3782 822463 10005}", "{378282246310005}",
			"{30569309025904}", "{3056 930902 5904}", "{6011111111111117}", "{3530111333300000}", "{2223003122003222}", "{6304000000000000}",
			"{4111\u00a01111\u00a01111\u00a01111}", "{４１１１１１１１１１１１１１１１}", "{٤١١١١١١١١١١١١١١١}", "card {4012888888089}", "({4222222222222})",
			"{4111111111111111}, cvv 123", "{4111 1111 1111 1111} 1227",
		},
		IBAN: {
			"{DE89370400440532013000}", "iban {DE89 3704 0044 0532 0130 00} danke", "{gb29 nwbk 6016 1331 9268 19}", "{FR1420041010050500013M02606}",
			"{NL91ABNA0417164300}", "{BE68-5390-0754-7034}", "{MT84MALT011000012345MTLCAST001S}", "{NO9386011117947}", "{CH93\u00a00076\u00a02011\u00a06238\u00a05295\u00a07}",
		},
		IP: {
			"{203.0.113.77}", "blocked {198.51.100.23}:8080", "ip {10.0.0.1}", "{2001:db8::8a2e:370:7334}", "[{2001:db8:0:0:0:0:2:1}]:443",
			"{fe80::1ff:fe23:4567:890a}", "{::ffff:203.0.113.77}", "from {2001:DB8::1}.",
		},
		Phone: {
			"{+49 170 1234567}", "{+4917012345678}", "{+49 (0)30 901820}", "{0049 30 901820}", "{+1 (212) 555-0123}", "{+1-212-555-0123}",
			"{(212) 555-0123}", "{212-555-0123}", "{212.555.0123}", "{1-212-555-0123 ext. 45}", "{212-555-0123x45}", "{+44 20 7946 0958}",
			"{020 7946 0958}", "{07700 900123}", "{07700900123}", "{+33 6 12 34 56 78}", "{06 12 34 56 78}", "{06.12.34.56.78}", "{0612345678}",
			"{030/1234567}", "{030 / 123456 78}", "{0170-1234567}", "{0151 23456789}", "{015123456789}", "{0664 1234567}", "{+39 347 1234567}",
			"{347 1234567}", "{06 1234 5678}", "{+34 612 345 678}", "{612 345 678}", "{612 34 56 78}", "{+48 601 234 567}", "{+31 6 12345678}",
			"{0470 12 34 56}", "{076 123 45 67}", "{+46 (0)70 123 45 67}", "{070-123 45 67}", "{+45 12 34 56 78}", "{+358 40 1234567}",
			"{+420 601 234 567}", "{06-30/123-4567}", "{8 (916) 123-45-67}", "{0532 123 45 67}", "{+91 98765 43210}", "{138 1234 5678}",
			"{090-1234-5678}", "{(11) 91234-5678}", "{+55 11 91234-5678}", "{(+49) 170 1234567}", "({0170 1234567})", "{+49\u00a0170\u20111234567}",
			"{０１７０ １２３４５６７}", "{٠٦١٢٣٤٥٦٧٨}", "{0170\u200b1234567}", "{%2B49170%201234567}", "iphone14 {0170 1234567}", "{0612345678}, {0712345679}",
			"call me on {467 3395}", "Phone: {9472 7916}", "my number is {2125550123}", "{467 3395} office", "{78 651 450}-Fax,", "ruf mich an: {1234567}",
			"mon numéro est le {0285601815}", "тел. {1234567}", "llámame al {91 123 45 67}", "Handynummer {0170-12345}", "2019-10-01 {0612345678}",
		},
	} {
		for _, marked := range texts {
			text := strings.NewReplacer("{", "", "}", "").Replace(marked)
			var got strings.Builder
			end := 0
			for _, m := range Find(text) {
				if m.Kind != kind {
					t.Errorf("%s in %q is found as %s", kind, text, m.Kind)
				}
				got.WriteString(text[end:m.Start] + "{" + text[m.Start:m.End] + "}")
				end = m.End
			}
			if got.WriteString(text[end:]); got.String() != marked {
				t.Errorf("found %s in %s, want %s", kind, got.String(), marked)
			}
		}
	}
}

// TestLeavesAlone covers what looks like personal data and is none.
func TestLeavesAlone(t *testing.T) {
	for name, texts := range map[string][]string{
		"handles and pictures":  {"@shop", "anna@localhost", "a@b", "@", "logo@2x.png", "2 @ 10.50", "a@b.1"},
		"wrong check digits":    {"4111111111111112", "4111 1111 1111 1112", "DE88370400440532013000", "XX89370400440532013000"},
		"articles":              {"4006381333931", "978-3-551-55167-2", "0-7475-3269-9", "012345678905", "304.573.15", "A0612345678", "0612345678B", "AB-0612345678", "#0612345678"},
		"pieces of numbers":     {"1234 4111 1111 1111 1111", "00340434161094021501", "1111.203.0.113.77", "203.0.113.77.1"},
		"named as other":        {"part no. 0986 424 797", "order 0612345678", "Bestellnummer: 0171 2345678", "version 10.22.33.44", "v203.0.113.77"},
		"dates and times":       {"2023-01-31 10:30:45", "31.01.2023 12.30", "01.02.2023 14 uhr", "01-02-2023 1430", "call me 31/01/2023", "1:2:3:4:5:6:7:8"},
		"coordinates":           {"+48.137154 +11.576124", "+40.7128-074.0060", "52.520008, 13.404954"},
		"sizes and figures":     {"600 400 200", "1 250 000", "205 55 16 91", "12,345,678.90", "1920 1080 144", "+100 000"},
		"versions and hardware": {"10.2.1.0", "256.1.1.100", "aa:bb:cc:dd:ee:ff", "std::vector", "::1", "00:11:22:33:44:55:66:77"},
		"named too far away":    {"telefon ladegerät 1234567", "handy hülle 9472 7916", "desk 140 70 120"},
		"social security":       {"054-28-6917"},
	} {
		for _, text := range texts {
			if got := Text(text); got != text {
				t.Errorf("%s: %q becomes %q", name, text, got)
			}
		}
	}
}

// TestOrdinarySearchesStay puts in what shoppers look for.
func TestOrdinarySearchesStay(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "searches.txt"))
	if err != nil {
		t.Fatal(err)
	}
	searches := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(searches) < 200 {
		t.Fatalf("got %d searches, want 200 or more", len(searches))
	}
	for _, search := range searches {
		if got := Text(search); got != search {
			t.Errorf("%q becomes %q", search, got)
		}
	}
}

func TestReplacesMatchesByKind(t *testing.T) {
	const text = "Größe 42, an anna@example.com oder 0170 1234567; DE89370400440532013000, 4111111111111111, 203.0.113.77"
	const want = "Größe 42, an [email] oder [phone]; [iban], [card], [ip]"
	if got := Text(text); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTextWithNothingToFindIsNotCopied(t *testing.T) {
	for _, text := range []string{"", "nike air max 90 größe 42", "matelas 140x190 épaisseur 20 cm", "кроссовки 43", "100% cotton"} {
		if n := testing.AllocsPerRun(10, func() { Text(text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

// check fails unless Text keeps its promises for text.
func check(t *testing.T, text string) {
	t.Helper()
	end := 0
	for _, m := range Find(text) {
		if m.Start < end || m.End <= m.Start || m.End > len(text) {
			t.Fatalf("%q: match %+v after %d", text, m, end)
		}
		end = m.End
	}
	once := Text(text)
	if utf8.ValidString(text) && !utf8.ValidString(once) {
		t.Errorf("%q becomes %q, which is no UTF-8", text, once)
	}
	if twice := Text(once); twice != once {
		t.Errorf("%q becomes %q, then %q", text, once, twice)
	}
	cleaned := URL(text, AllowedParameter)
	if utf8.ValidString(text) && !utf8.ValidString(cleaned) {
		t.Errorf("URL %q becomes %q, which is no UTF-8", text, cleaned)
	}
	if twice := URL(cleaned, AllowedParameter); twice != cleaned {
		t.Errorf("URL %q becomes %q, then %q", text, cleaned, twice)
	}
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"anna@example.com 0170 1234567", "12 0612345678 467 3395 office", "1.2.3.4 203.0.113.77", "４１１１ 1111", "2001:db8::1"} {
		f.Add(text)
	}
	f.Fuzz(check)
}

func TestKeepsItsPromisesForNaughtyStrings(t *testing.T) {
	var naughty []string
	if err := json.Unmarshal(shared(t, "naughty-strings", "blns.json"), &naughty); err != nil {
		t.Fatal(err)
	}
	for _, text := range naughty {
		check(t, text)
		if found := Find(text); len(found) > 0 {
			t.Logf("%q has %v", text, found)
		}
	}
}

// TestTakesLinearTime doubles texts that make the scan look far and often.
func TestTakesLinearTime(t *testing.T) {
	for _, piece := range []string{"1", "1 ", "06 ", "4111 ", "@", "a@a.", "+1 ", "1:", "DE89 ", "%40", "\"@", "call ", "a@b.co ", "[]@"} {
		measure := func(size int) time.Duration {
			text := strings.Repeat(piece, size/len(piece))
			start := processorTime(t)
			Text(text)
			URL("https://a.example/?q="+text, AllowedParameter)
			return processorTime(t) - start
		}
		var half, whole time.Duration
		linear := false
		for try := 0; !linear && try < 20; try++ { // the collector of garbage runs when it likes
			half, whole = measure(1<<16), measure(1<<17)
			linear = whole < 3*half
		}
		if !linear {
			t.Errorf("%q: %s for 64 KiB, %s for 128 KiB", piece, half, whole)
		}
	}
}

// processorTime returns what this process has used, whoever else is on the
// machine.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestMatchesAreInOrder(t *testing.T) {
	got := Find("0170 1234567 anna@example.com 203.0.113.77")
	if want := []Match{{Phone, 0, 12}, {Email, 13, 29}, {IP, 30, 42}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"search":       "nike air max 90 größe 42",
		"title":        "Bosch Professional 18V System Akku Bohrschrauber GSR 18V-55 (max. Drehmoment: 55 Nm)",
		"article":      "bosch 0 986 424 797 bremsbeläge",
		"email":        "bitte an anna@example.com senden",
		"phone":        "ruf mich an unter 0170 1234567",
		"1 KiB prose":  strings.Repeat("Sehr bequem, fällt in Größe 42 normal aus. ", 24)[:1024],
		"1 KiB digits": strings.Repeat("1234 ", 205)[:1024],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Text(text)
			}
		})
	}
}

func BenchmarkURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		URL("https://shop.example/de/schuhe/nike-air-max?utm_source=newsletter&gclid=abc123&q=air+max+90&page=2", AllowedParameter)
	}
}
