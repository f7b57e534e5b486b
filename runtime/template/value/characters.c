/* What Python's str knows of characters, over utf8proc's tables.
 *
 * Python's classes are made of Unicode's general categories, with exceptions spelled out here: white space by the
 * bidirectional class, digits that are not decimal, identifiers by UAX 31.
 */
#include "runtime/template/value/characters.h"

#include <utf8proc.h>

bool mote_jinja_is_space(uint32_t code)
{
	if (code < 0x80)
		return (code >= 9 && code <= 13) || (code >= 28 && code <= 32);
	return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
	       code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool mote_jinja_is_line_break(uint32_t code)
{
	return (code >= 10 && code <= 13) || (code >= 28 && code <= 30) || code == 0x85 || code == 0x2028 ||
	       code == 0x2029;
}

static utf8proc_category_t category(uint32_t code)
{
	return utf8proc_category((utf8proc_int32_t)code);
}

bool mote_jinja_is_printable(uint32_t code)
{
	if (code < 0x7f)
		return code >= 32;
	switch (category(code)) {
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
	case UTF8PROC_CATEGORY_ZS:
		return false;
	default:
		return true;
	}
}

static bool is_letter(utf8proc_category_t c)
{
	return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT ||
	       c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
}

/* str.isdigit() but not isdecimal(): Unicode's Numeric_Type=Digit, to which nothing is added any more. */
static bool is_other_digit(uint32_t code)
{
	static const uint32_t ranges[][2] = {
		{0xb2, 0xb3}, {0xb9, 0xb9}, {0x1369, 0x1371}, {0x19da, 0x19da}, {0x2070, 0x2070},
		{0x2074, 0x2079}, {0x2080, 0x2089}, {0x2460, 0x2468}, {0x2474, 0x247c}, {0x2488, 0x2490},
		{0x24ea, 0x24ea}, {0x24f5, 0x24fd}, {0x24ff, 0x24ff}, {0x2776, 0x277e}, {0x2780, 0x2788},
		{0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}
	};
	size_t i = 0;

	while (i < sizeof ranges / sizeof *ranges && code > ranges[i][1])
		i++;
	return i < sizeof ranges / sizeof *ranges && code >= ranges[i][0];
}

bool mote_jinja_is(uint32_t code, enum jinja_class what)
{
	utf8proc_category_t c = category(code);

	switch (what) {
	case JINJA_ALPHA:
		return is_letter(c);
	case JINJA_DECIMAL:
		return c == UTF8PROC_CATEGORY_ND;
	case JINJA_DIGIT:
		return c == UTF8PROC_CATEGORY_ND || is_other_digit(code);
	case JINJA_NUMERIC:
		return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
	case JINJA_ALNUM:
		return is_letter(c) || mote_jinja_is(code, JINJA_NUMERIC);
	case JINJA_LOWER:
		return utf8proc_islower((utf8proc_int32_t)code);
	case JINJA_UPPER:
		return utf8proc_isupper((utf8proc_int32_t)code);
	case JINJA_TITLE:
		return c == UTF8PROC_CATEGORY_LT;
	case JINJA_CASED:
		return mote_jinja_is(code, JINJA_LOWER) || mote_jinja_is(code, JINJA_UPPER) ||
		       c == UTF8PROC_CATEGORY_LT;
	}
	return false;
}

bool mote_jinja_is_word(uint32_t code)
{
	if (code < 0x80)
		return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') ||
		       code == '_';
	return mote_jinja_is(code, JINJA_ALNUM);
}

/* XID_Start and XID_Continue are defined by categories, a few characters of Unicode's Other_ID_Start and
 * Other_ID_Continue, and less those whose compatibility form (NFKC) would not be an identifier. */
bool mote_jinja_is_identifier(uint32_t code, bool first)
{
	utf8proc_category_t c = category(code);

	if (code == 0x37a || code == 0x2e2f || (code >= 0xfc5e && code <= 0xfc63) || code == 0xfdfa || code == 0xfdfb ||
	    (code >= 0xfe70 && code <= 0xfe7e && !(code & 1)))
		return false;
	if (code == 0xe33 || code == 0xeb3 || code == 0xff9e || code == 0xff9f)
		return !first;
	if (code == '_' || is_letter(c) || c == UTF8PROC_CATEGORY_NL || code == 0x1885 || code == 0x1886 ||
	    code == 0x2118 || code == 0x212e)
		return true;
	return !first && (c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ND ||
			  c == UTF8PROC_CATEGORY_PC || code == 0xb7 || code == 0x387 ||
			  (code >= 0x1369 && code <= 0x1371) || code == 0x19da);
}
