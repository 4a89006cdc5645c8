package scrub

import (
	"strings"
	"unicode/utf8"
)

// A name is what words say that a number is.
type name int

const (
	nothing name = iota
	aPhone       // right before the number
	aLabel       // the same with a colon or link: things for sale have this name too
	aPlace       // the same with a colon alone
	aCall        // anywhere before it
	aNumber      // a link, and a phone's after a word such as my
	aLink        // between a name and its number
	aMine        // a link
	aCard
	anArticle
	aVersion
	anAddress
)

// words that name numbers, in the languages of the shops.
var words = func() map[string]name {
	words := map[string]name{}
	for n, list := range [...]string{
		aPhone: `phone phones telephone tel tél telefon telefonnummer telefono teléfono telefone téléphone telefoon telefoonnummer
			telefonu telefonie telefonszám telefonnumer telefonnr puhelin puhelinnumero τηλ τηλέφωνο тел телефон ph mob mobilnummer
			handynummer komórka tlf tlfn fax hotline landline festnetz registered`,
		aLabel: `mobile mobil mobiel móvil movil celular cellulare cell cel handy portable gsm`,
		aPlace: `office desk home work`,
		aCall: `call calls called calling callback dial text sms whatsapp viber telegram reach contact answer answering message
			messages voicemail anrufen anruf anrufe rückruf zurückrufen ruf rufen rufe ruft erreichbar erreichen appeler appelez appelle
			joindre rappeler rappelez llamar llame llama llámame llámeme chiamare chiami chiama chiamami ligar ligue bellen bel zadzwoń
			zadzwonić dzwonić ringa soita soittakaa zavolejte volat hívjon sunați позвоните звоните`,
		aNumber: `number nummer numéro numero número numer numeret`,
		aLink: `no nr num is are at on to me us the for ist war est es è é jest är er on via by under unter au al a le la il mich uns her
			him them this or und and oder ou o et e y i please bitte`,
		aMine: `my our mon ma mes notre mein meine meiner unsere mi mio mia nuestro minha meu moj mój moja min mit mijn ons`,
		anArticle: `art article articles artikel artikelnummer articolo artículo articulo artigo artykuł item items model modell modelo
			modello modèle modele typ type tipo ref réf reference référence referencia riferimento referenz order orders bestellung
			bestellnummer commande pedido ordine zamówienie ean gtin upc isbn issn sku asin mpn serial serie seriennummer sn imei part
			parts teil teilenummer ersatzteil pn oem din iso en lot batch charge size sizes größe groesse taille talla taglia maat
			price prix preis precio prezzo prijs cena invoice rechnung facture tracking sendung sendungsnummer parcel paket kundennummer
			customer product produkt produit producto prodotto code codice código id set lego reifen tyre tire pneu`,
		aCard: `card cards cc creditcard visa mastercard amex maestro diners discover jcb karte kreditkarte kartennummer carte carta tarjeta
			cartão kreditkort kort karta karty kart kaart kortti`,
		aVersion: `v ver version versión versione wersja firmware fw build release update driver treiber rev revision bios os ios
			android windows chrome firefox software patch kernel`,
		anAddress: `ip ipv4 ipaddress address addresses adresse adres indirizzo dirección direccion host server client gateway router dns ping`,
	} {
		for word := range strings.FieldsSeq(list) {
			words[word] = name(n)
		}
	}
	return words
}()

// How far before a number a word can name it.
const (
	maxWords  = 6
	maxBefore = 64 // bytes
)

// namedBefore returns what the words before start say that the number there is:
// the nearest that says anything.
func namedBefore(text string, start int) name {
	end := start
	near, linked := true, false // only links so far, and any
	last := nothing
	for range maxWords {
		for end > 0 && !isLetter(text[end-1]) {
			if c := text[end-1]; isDigit(c) || c == '[' || c == ']' || start-end > maxBefore {
				return nothing
			}
			end--
		}
		begin := end
		for begin > 0 && isLetter(text[begin-1]) && start-begin <= maxBefore {
			begin--
		}
		word := words[strings.ToLower(text[begin:end])]
		switch word {
		case aLink, aNumber, aMine:
			if word == aMine && last == aNumber {
				return aPhone
			}
			linked = true
		case nothing:
			near = false
		case aPhone, aLabel, aPlace:
			if near && (word == aPhone || word == aLabel && linked || text[end] == ':') {
				return aPhone
			}
			near = false
		case aCall:
			return aPhone
		default:
			return word
		}
		end, last = begin, word
	}
	return nothing
}

// namedAfter reports whether text from end on says that the number before is a
// phone's: "office" at the end of a line.
func namedAfter(text string, end int) bool {
	begin := end
	for begin < len(text) && begin < end+2 && strings.IndexByte(" -(", text[begin]) >= 0 {
		begin++
	}
	stop := begin
	for stop < len(text) && stop < begin+maxBefore && isLetter(text[stop]) {
		stop++
	}
	if stop < len(text) && strings.IndexByte(" -_", text[stop]) >= 0 || stop < len(text) && isDigit(text[stop]) {
		return false
	}
	word := strings.ToLower(text[begin:stop])
	n := words[word]
	return n == aPhone || n == aLabel || n == aPlace
}

func isLetter(c byte) bool { return class[c] == letter || c >= utf8.RuneSelf }
