/* Which language a text is in: an approximation of langdetect for IFEval's three kinds that ask.
 *
 * The script that most letters belong to decides between families of languages. Languages that share a script are told
 * by how many of the text's words are among each one's commonest, and by letters that only some of them have.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "format/utf8.h"
#include "quant/eval/ifeval_text.h"

enum script {
	LATIN, CYRILLIC, GREEK, HEBREW, ARABIC, DEVANAGARI, BENGALI, GURMUKHI, GUJARATI, TAMIL, TELUGU, KANNADA,
	MALAYALAM, THAI,
	HANGUL, KANA, HAN, SCRIPTS
};

struct language {
	const char *code;
	enum script script;
	const char *words, *letters; /* words between blanks */
};

/* The first of its script stands for texts that give no hint. */
static const struct language languages[] = {
	{"en", LATIN, " the of and to in is that it for was with as you be are this have from not but we or an they "
	 "can will your which i my on at by if so what there all has one do would when about more their ", ""},
	{"de", LATIN, " der die das und ist nicht ein eine ich zu den mit sie es auf für von dem im auch sich wie wir "
	 "du des dass haben ", "ßäöü"},
	{"fr", LATIN, " le la les de des et est un une en dans que qui pour pas sur avec il elle nous vous je du au ce "
	 "sont ", "çèêàœù"},
	{"es", LATIN, " el la los las de y que en un una es por con para no se su del al lo como más pero yo muy está ",
	 "ñ¿¡áíó"},
	{"pt", LATIN, " o a os as de e que em um uma é para com não se do da no na por mais como mas você eu "
	 "ao ", "ãõçê"},
	{"it", LATIN, " il lo la gli le di e che è in un una per non con del della sono si ma come più anche io al "
	 "nel ", "èòì"},
	{"nl", LATIN, " de het een en van is dat niet in op te zijn voor met die aan ik je er maar ook wij naar "
	 "bij ", ""},
	{"sv", LATIN, " och att det som en är på för med av inte den till jag ett om vi har du han så ", "åäö"},
	{"da", LATIN, " og at det som en er på for med af ikke den til jeg et om vi har du han så de hvad ", "æøå"},
	{"no", LATIN, " og at det som en er på for med av ikke den til jeg et om vi har du han så de hva meg ", "æøå"},
	{"fi", LATIN, " ja on ei se että hän oli ovat mutta minä kun niin voi olla tämä myös kuin joka mitä sen "
	 "ole ", "äö"},
	{"pl", LATIN, " i w na nie się z do to jest że o jak po ale za co od dla przez są być tak ", "łąężśćń"},
	{"cs", LATIN, " a v na se je že to s z do o jako pro ale by jsem si po které také ", "řěůčšž"},
	{"ro", LATIN, " și de în la a cu nu o este pe că un din pentru care mai sunt ca o fi ", "șțăâî"},
	{"hu", LATIN, " a az és hogy nem is egy van ez de meg volt csak el mint még ha ki ", "őűéá"},
	{"tr", LATIN, " ve bir bu da de için ile ne var çok ben o gibi daha olan kadar değil her sonra ", "ğışİ"},
	{"vi", LATIN, " và của là có không được cho trong một người những với các này đã tôi để khi rất ",
	 "ăđơưạảấầẩậắằặẹẻẽếềểễệịọỏốồổộớờởợụủứừửữựỳỹ"},
	{"id", LATIN, " yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke bisa ada mereka "
	 "adalah ", ""},
	{"sw", LATIN, " na ya wa kwa ni katika za la cha kuwa hii yake hiyo kama lakini sana si watu mtu vya pia wetu "
	 "yangu au ", ""},
	{"ru", CYRILLIC, " и в не на что с как это по но из у за от же к для он она они мы вы я был бы есть так все "
	 "или ", "ыэё"},
	{"uk", CYRILLIC, " і в не на що з як це та але для він вона вони ми ви я був є так або до ", "іїєґ"},
	{"bg", CYRILLIC, " и на да се е от за в са че по с как не това ще си които като най една един ", "ъ"},
	{"mk", CYRILLIC, " и на да се е од за во са дека по со како не тоа ќе си кои како ", "јљњѓќѕ"},
	{"el", GREEK, "", ""}, {"he", HEBREW, "", ""},
	{"ar", ARABIC, " في من على أن إلى هذا هذه التي الذي ما كان و لا عن مع هو هي أو إن ", "ةىيكأإ"},
	{"fa", ARABIC, " و در به از که این را با است برای آن می یک ها شود هم ما تا بر ", "یکپگچژ"},
	{"ur", ARABIC, " اور کے کی میں ہے سے کا کو نے یہ پر ہیں کہ نہیں تھا بھی ایک ", "یکپگچٹڈڑںےھہ"},
	{"hi", DEVANAGARI, " है हैं का की के में से और को ने यह पर नहीं भी एक था थी कि हो लिए मैं ", ""},
	{"mr", DEVANAGARI, " आहे आहेत आणि च्या मी तो ती हे या ते एक नाही होते होता होती करण्यासाठी साठी पण किंवा असे "
	 "आपल्या ", "ळ"},
	{"ne", DEVANAGARI, " छ छन् र हो मा को का यो पनि लागि भने थियो गर्न गरेको भएको एक हुन्छ छैन म ले ", ""},
	{"bn", BENGALI, "", ""}, {"pa", GURMUKHI, "", ""}, {"gu", GUJARATI, "", ""}, {"ta", TAMIL, "", ""},
	{"te", TELUGU, "", ""}, {"kn", KANNADA, "", ""}, {"ml", MALAYALAM, "", ""}, {"th", THAI, "", ""},
	{"ko", HANGUL, "", ""}, {"ja", KANA, "", ""}, {"zh-cn", HAN, "", ""},
};

enum { LANGUAGES = sizeof languages / sizeof *languages };

bool mote_ifeval_knows_language(const char *code)
{
	for (int i = 0; i < LANGUAGES; i++)
		if (strcmp(languages[i].code, code) == 0)
			return true;
	return false;
}

/* Blocks of Unicode with a script's letters. */
static enum script script_of(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		enum script script;
	} blocks[] = {
		{'A', 'Z', LATIN}, {'a', 'z', LATIN}, {0xc0, 0x24f, LATIN}, {0x1e00, 0x1eff, LATIN},
		{0x370, 0x3ff, GREEK}, {0x400, 0x52f, CYRILLIC}, {0x590, 0x5ff, HEBREW}, {0x600, 0x6ff, ARABIC},
		{0x750, 0x77f, ARABIC}, {0xfb50, 0xfdff, ARABIC}, {0x900, 0x97f, DEVANAGARI}, {0x980, 0x9ff, BENGALI},
		{0xa00, 0xa7f, GURMUKHI}, {0xa80, 0xaff, GUJARATI}, {0xb80, 0xbff, TAMIL}, {0xc00, 0xc7f, TELUGU},
		{0xc80, 0xcff, KANNADA}, {0xd00, 0xd7f, MALAYALAM}, {0xe00, 0xe7f, THAI},
		{0x3040, 0x30ff, KANA}, {0x4e00, 0x9fff, HAN}, {0xac00, 0xd7af, HANGUL}, {0x1100, 0x11ff, HANGUL},
	};

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (c >= blocks[i].first && c <= blocks[i].last)
			return blocks[i].script;
	return SCRIPTS;
}

/* Letters, and the marks that vowels are in the scripts of India. */
static bool is_letter(uint32_t c)
{
	utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);

	return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ME;
}

/* The script of most letters; Japanese has kana among its Chinese characters. SCRIPTS: no letters of any. */
static enum script main_script(const char *text)
{
	uint32_t count[SCRIPTS + 1] = {0};
	enum script best = LATIN;
	size_t length;

	for (; *text; text += length) {
		uint32_t c = mote_utf8_decode(text, &length);

		count[is_letter(c) ? script_of(c) : SCRIPTS]++;
	}
	if (count[KANA] > 0 && count[HAN] > 0)
		count[KANA] += count[HAN];
	for (enum script s = LATIN; s < SCRIPTS; s++)
		best = count[s] > count[best] ? s : best;
	return count[best] > 0 ? best : SCRIPTS;
}

static bool has_character(const char *set, const char *c, size_t length)
{
	size_t step;

	for (; *set; set += step) {
		mote_utf8_decode(set, &step);
		if (step == length && memcmp(set, c, length) == 0)
			return true;
	}
	return false;
}

/* How much of a text speaks for a language: words count twice, since letters are more. */
static uint32_t hints(const struct language *l, const char *text)
{
	uint32_t found = 0;
	size_t length = 0, word = 0;
	char between[64] = " ";

	for (const char *at = text; ; at += length) {
		bool letter = *at && is_letter(mote_utf8_decode(at, &length));

		if (letter && word + length + 2 < sizeof between) {
			memcpy(between + 1 + word, at, length);
			word += length;
			found += has_character(l->letters, at, length);
		} else if (!letter && word > 0) {
			strcpy(between + 1 + word, " ");
			found += strstr(l->words, between) ? 2 : 0;
			word = 0;
		}
		if (!*at)
			return found;
	}
}

const char *mote_ifeval_language(struct mote_span s)
{
	struct mote_ifeval_answer a = {0};
	char *text = mote_ifeval_lower(&a, s);
	enum script script = text ? main_script(text) : SCRIPTS;
	const char *code = NULL;
	uint32_t most = 0;

	for (int i = 0; text && i < LANGUAGES; i++) {
		uint32_t found = languages[i].script == script ? hints(&languages[i], text) : 0;

		if (languages[i].script == script && (!code || found > most)) {
			code = languages[i].code;
			most = found;
		}
	}
	free(text);
	return code;
}

/* Text of which no language can be told follows, as in the original. */
static bool is_in(struct mote_span s, const char *code)
{
	const char *found = mote_ifeval_language(s);

	return !found || strcmp(found, code) == 0;
}

bool mote_ifeval_response_language(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	return is_in(a->text, mote_json_get(arguments, "language")->valuestring);
}

bool mote_ifeval_english_capital(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	(void)arguments;
	return mote_span_cased(a->text, true) && is_in(a->text, "en");
}

bool mote_ifeval_english_lowercase(struct mote_ifeval_answer *a, const cJSON *arguments)
{
	(void)arguments;
	return mote_span_cased(a->text, false) && is_in(a->text, "en");
}
