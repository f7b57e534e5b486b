/* Answers written by hand for each of IFEval's 25 kinds, for test_ifeval.c: at least eight a kind, that follow, do not,
 * or are at an edge. */
#define AT_LEAST(n) "{\"frequency\":" #n ",\"keyword\":\"cat\",\"relation\":\"at least\"}"
#define LESS(n) "{\"frequency\":" #n ",\"keyword\":\"cat\",\"relation\":\"less than\"}"
#define LETTERS(c, n, relation) "{\"letter\":\"" c "\",\"let_frequency\":" #n ",\"let_relation\":\"" relation "\"}"
#define WORDS(n, relation) "{\"num_words\":" #n ",\"relation\":\"" relation "\"}"
#define SENTENCES(n, relation) "{\"num_sentences\":" #n ",\"relation\":\"" relation "\"}"
#define CAPITALS(n, relation) "{\"capital_frequency\":" #n ",\"capital_relation\":\"" relation "\"}"
#define FIRST(n, nth, word) "{\"num_paragraphs\":" #n ",\"nth_paragraph\":" #nth ",\"first_word\":\"" word "\"}"
#define SECTIONS(splitter, n) "{\"section_spliter\":\"" splitter "\",\"num_sections\":" #n "}"

static const struct {
	const char *kind, *arguments, *answer;
	bool follows;
} answers[] = {
	{"change_case:capital_word_frequency", CAPITALS(2, "at least"), "THIS is NOT it", true},
	{"change_case:capital_word_frequency", CAPITALS(3, "at least"), "THIS is NOT it", false},
	{"change_case:capital_word_frequency", CAPITALS(1, "less than"), "no capitals", true},
	{"change_case:capital_word_frequency", CAPITALS(1, "less than"), "one HERE.", false},
	/* a letter is a word */
	{"change_case:capital_word_frequency", CAPITALS(1, "at least"), "I am", true},
	{"change_case:capital_word_frequency", CAPITALS(1, "at least"), "Title Case Only", false},
	{"change_case:capital_word_frequency", CAPITALS(1, "at least"), "1234 !!! 5", false},
	/* nothing with case */
	{"change_case:capital_word_frequency", CAPITALS(1, "at least"), "the B2B market", true},
	{"change_case:capital_word_frequency", CAPITALS(3, "less than"), "STOP, THIEF! said he", true},
	{"change_case:capital_word_frequency", CAPITALS(2, "at least"), "(STOP), \"NOW\".", true},

	{"change_case:english_capital", "{}", "THIS IS ALL IN CAPITALS.", true},
	{"change_case:english_capital", "{}", "THIS IS ALMOST ALL IN CAPITALs.", false},
	{"change_case:english_capital", "{}", "THE 3 CATS & THE DOG: 100% OK!", true},
	{"change_case:english_capital", "{}", "this is in small letters", false},
	/* no letter is a capital */
	{"change_case:english_capital", "{}", "12345", false},
	{"change_case:english_capital", "{}", "DAS IST NICHT AUF ENGLISCH UND DAHER FALSCH", false},
	{"change_case:english_capital", "{}", "THE WORD \xc3\x89LAN IS OF THE FRENCH", true},
	{"change_case:english_capital", "{}", "\xd0\xad\xd0\xa2\xd0\x9e \xd0\x9d\xd0\x95 \xd0\xa2\xd0\x9e", false},
	{"change_case:english_capital", "{}", "IT IS\n\nIN TWO PARAGRAPHS", true},

	{"change_case:english_lowercase", "{}", "this is all in small letters.", true},
	{"change_case:english_lowercase", "{}", "This is not.", false},
	{"change_case:english_lowercase", "{}", "the 3 cats & the dog: 100% ok!", true},
	{"change_case:english_lowercase", "{}", "THE OPPOSITE OF IT", false},
	{"change_case:english_lowercase", "{}", "2 + 2 = 4", false},
	{"change_case:english_lowercase", "{}", "das ist nicht auf englisch und daher falsch", false},
	{"change_case:english_lowercase", "{}", "that is all.\nand i mean it", true},
	{"change_case:english_lowercase", "{}", "the end is near, said \xc3\x89mile", false},
	{"change_case:english_lowercase", "{}", "\xd1\x8d\xd1\x82\xd0\xbe \xd0\xbd\xd0\xb5 \xd1\x82\xd0\xbe", false},

	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "Write a poem. Roses are red.", true},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "write A POEM.\nRoses", true},
	/* case does not count */
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "\n  Write a poem.", true},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\" Write a poem. \"}", "Write a poem.", true},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "Sure: Write a poem.", false},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "\"Write a poem.\" Roses", false},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "Write a poem", false},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Write a poem.\"}", "Write  a poem. Roses", false},
	{"combination:repeat_prompt", "{\"prompt_to_repeat\":\"\xc3\x89t\xc3\xa9?\"}", "\xc3\xa9T\xc3\x89? Oui", true},

	{"combination:two_responses", "{}", "One.\n******\nTwo.", true},
	{"combination:two_responses", "{}", "One. Two.", false},
	{"combination:two_responses", "{}", "Same\n******\n Same ", false},
	/* blank at the ends */
	{"combination:two_responses", "{}", "******\nOne\n******\nTwo\n******", true},
	{"combination:two_responses", "{}", "One\n******\n******\nTwo", false},                     /* blank between */
	{"combination:two_responses", "{}", "One\n******\nTwo\n******\nThree", false},
	{"combination:two_responses", "{}", "One\n*****\nTwo", false},
	{"combination:two_responses", "{}", "One******Two", true},
	{"combination:two_responses", "{}", "One\n******", false},

	{"detectable_content:number_placeholders", "{\"num_placeholders\":2}", "Dear [name] of [place]", true},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":2}", "Dear [name]", false},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":1}", "[a] [b] [c]", true},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":1}", "[]", true},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":1}", "[over\ntwo lines]", false},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":2}", "[[inner]]", false},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":1}", "(round) {curly}", false},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":2}", "[a][b]", true},
	{"detectable_content:number_placeholders", "{\"num_placeholders\":1}", "]a[", false},

	{"detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "Text.\nP.S. More", true},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "Text.\np. s. more", true},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "Text.\nPS: more", false},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "Text. P.S", false},
	/* the last full stop */
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.P.S\"}", "Text.\nP.P.S more", true},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.P.S\"}", "Text.\nP.S. more", false},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.P.S\"}", "Text. p. p. s", true},
	{"detectable_content:postscript", "{\"postscript_marker\":\"P.S.\"}", "P.P.S. more", true},
	/* it is in there */
	{"detectable_content:postscript", "{\"postscript_marker\":\"Note:\"}", "Text. NOTE: more", true},
	{"detectable_content:postscript", "{\"postscript_marker\":\"Note:\"}", "Text. Note more", false},

	{"detectable_format:constrained_response", "{}", "My answer is yes.", true},
	{"detectable_format:constrained_response", "{}", "My answer is no.", true},
	{"detectable_format:constrained_response", "{}", "My answer is maybe.", true},
	{"detectable_format:constrained_response", "{}", "Well. My answer is no. Really.", true},
	{"detectable_format:constrained_response", "{}", "my answer is yes.", false},
	{"detectable_format:constrained_response", "{}", "My answer is yes", false},
	{"detectable_format:constrained_response", "{}", "My answer is: yes.", false},
	{"detectable_format:constrained_response", "{}", "Yes.", false},
	{"detectable_format:constrained_response", "{}", "My answer is perhaps.", false},

	{"detectable_format:json_format", "{}", "{\"a\": [1, 2, null]}", true},
	{"detectable_format:json_format", "{}", "```json\n{\"a\": 1}\n```", true},
	{"detectable_format:json_format", "{}", "```JSON\n[]\n```", true},
	{"detectable_format:json_format", "{}", "```\n{}\n```", true},
	{"detectable_format:json_format", "{}", "Here: {\"a\": 1}", false},
	{"detectable_format:json_format", "{}", "{\"a\": 1", false},
	{"detectable_format:json_format", "{}", "{'a': 1}", false},
	/* a value is enough */
	{"detectable_format:json_format", "{}", "42", true},
	{"detectable_format:json_format", "{}", "{\"a\": 1,}", false},
	{"detectable_format:json_format", "{}", "\n  \"text\"  \n", true},

	{"detectable_format:multiple_sections", SECTIONS("SECTION", 2), "SECTION 1\na\nSECTION 2\nb", true},
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 3), "SECTION 1\na\nSECTION 2\nb", false},
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 1), "SECTION 1 SECTION 2 SECTION 3", true},
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 1), "Section 1\na", false},     /* case counts */
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 1), "SECTION one", false},
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 1), "SECTION1", true},
	{"detectable_format:multiple_sections", SECTIONS("SECTION", 1), "SECTION  1", false},
	/* one blank at most */
	{"detectable_format:multiple_sections", SECTIONS(" Day ", 2), "Day 10: x\n\nDay 20: y", true},
	{"detectable_format:multiple_sections", SECTIONS("A.", 1), "AB 1", false},                  /* literally */

	{"detectable_format:number_bullet_lists", "{\"num_bullets\":2}", "* a\n* b", true},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":2}", "* a\n* b\n* c", false},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":2}", "- a\n* b", true},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "Text\n  * indented", true},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "**bold** text", false},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "a * b", false},
	/* a hyphen, whatever follows */
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "--- rule", true},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":3}", "Intro\n\n- a\n\n- b\n\n- c\n\nEnd", true},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "\xe2\x80\xa2 dot", false},
	{"detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "*italic* begins the line", true},

	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":2}", "*a* and *b*", true},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":2}", "*a* and b", false},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "**bold**", true},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":2}", "**bold**", false},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "* *", false},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "*over\nlines*", false},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":3}", "*a* *b* *c* *d*", true},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "* a bullet", false},
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":1}", "****", false},
	/* The stars between two bold texts enclose the text between them: found once by each pattern,
	 * and so counted. */
	{"detectable_format:number_highlighted_sections", "{\"num_highlights\":2}", "**a** **b**", true},

	{"detectable_format:title", "{}", "<<A title>>\nText", true},
	{"detectable_format:title", "{}", "Text <<in the middle>> of it", true},
	{"detectable_format:title", "{}", "<A title>", false},
	{"detectable_format:title", "{}", "<< >>", false},
	{"detectable_format:title", "{}", "<<over\nlines>>", false},
	{"detectable_format:title", "{}", "<<>>", false},
	{"detectable_format:title", "{}", "<<<more>>>", true},
	{"detectable_format:title", "{}", "# A title", false},
	{"detectable_format:title", "{}", "<< >> <<a>>", true},

	{"keywords:existence", "{\"keywords\":[\"cat\",\"dog\"]}", "A cat and a dog", true},
	{"keywords:existence", "{\"keywords\":[\"cat\",\"dog\"]}", "A cat", false},
	/* inside of a word, any case */
	{"keywords:existence", "{\"keywords\":[\"cat\"]}", "CATS", true},
	{"keywords:existence", "{\"keywords\":[\"cat\"]}", "concatenate", true},
	{"keywords:existence", "{\"keywords\":[\"cat\"]}", "c at", false},
	{"keywords:existence", "{\"keywords\":[\"two words\"]}", "Two Words!", true},
	{"keywords:existence", "{\"keywords\":[\"two words\"]}", "two\nwords", false},
	{"keywords:existence", "{\"keywords\":[\"\xc3\xa9t\xc3\xa9\"]}", "\xc3\x89T\xc3\x89", true},
	{"keywords:existence", "{\"keywords\":[\"a+b\"]}", "aab", false},

	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "A dog", true},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "A cat", false},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "A Cat.", false},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "concatenate cats", true},
	/* whole words alone */
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"dog\",\"cat\"]}", "the cat-flap", false},
	/* a word with an underscore */
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "cat_flap", true},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "\"cat\"", false},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"big cat\"]}", "big cats and a cat", true},
	{"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "\xc3\xa9" "cat", true},

	{"keywords:frequency", AT_LEAST(2), "cat cat", true},
	{"keywords:frequency", AT_LEAST(3), "cat cat", false},
	{"keywords:frequency", LESS(3), "cat cat", true},
	{"keywords:frequency", LESS(2), "cat cat", false},
	{"keywords:frequency", AT_LEAST(2), "Cat concatenated", true},
	{"keywords:frequency", AT_LEAST(1), "dog", false},
	{"keywords:frequency", LESS(1), "dog", true},
	{"keywords:frequency", AT_LEAST(2), "catcat", true},
	{"keywords:frequency", "{\"frequency\":2,\"keyword\":\"aa\",\"relation\":\"at least\"}", "aaa", false},
	/* not overlapping */

	{"keywords:letter_frequency", LETTERS("a", 3, "at least"), "banana", true},
	{"keywords:letter_frequency", LETTERS("a", 4, "at least"), "banana", false},
	{"keywords:letter_frequency", LETTERS("a", 4, "less than"), "banana", true},
	{"keywords:letter_frequency", LETTERS("a", 3, "less than"), "banana", false},
	{"keywords:letter_frequency", LETTERS("a", 2, "at least"), "A a", true},
	{"keywords:letter_frequency", LETTERS("A", 2, "at least"), "A a", true},
	{"keywords:letter_frequency", LETTERS("z", 1, "less than"), "none", true},
	{"keywords:letter_frequency", LETTERS("#", 2, "at least"), "# #tag", true},
	{"keywords:letter_frequency", LETTERS("!", 3, "less than"), "Oh!!!", false},

	{"language:response_language", "{\"language\":\"de\"}", "Das ist ein Satz auf Deutsch, und er ist nicht "
	 "lang.", true},
	{"language:response_language", "{\"language\":\"de\"}",
	 "This is a sentence in English, and it is not long.", false},
	{"language:response_language", "{\"language\":\"hi\"}", "यह एक छोटा सा वाक्य है और यह हिंदी में है।", true},
	{"language:response_language", "{\"language\":\"mr\"}", "हे एक छोटे वाक्य आहे आणि ते मराठी मध्ये आहे.", true},
	{"language:response_language", "{\"language\":\"ne\"}", "यो एउटा सानो वाक्य हो र यो नेपाली भाषामा छ।", true},
	{"language:response_language", "{\"language\":\"hi\"}", "हे एक छोटे वाक्य आहे आणि ते मराठी मध्ये आहे.", false},
	{"language:response_language", "{\"language\":\"ar\"}", "هذه جملة قصيرة باللغة العربية من أجل الاختبار.", true},
	{"language:response_language", "{\"language\":\"fa\"}", "این یک جمله کوتاه است که به زبان فارسی نوشته شده "
	 "است.", true},
	{"language:response_language", "{\"language\":\"ur\"}",
	 "یہ اردو زبان میں لکھا ہوا ایک چھوٹا سا جملہ ہے۔", true},
	{"language:response_language", "{\"language\":\"ru\"}", "Это короткое предложение на русском языке.", true},
	{"language:response_language", "{\"language\":\"bg\"}", "Това е кратко изречение на български език и не е "
	 "дълго.", true},
	{"language:response_language", "{\"language\":\"ru\"}", "Това е кратко изречение на български език и не е "
	 "дълго.", false},
	{"language:response_language", "{\"language\":\"vi\"}",
	 "Đây là một câu ngắn bằng tiếng Việt và không dài.", true},
	{"language:response_language", "{\"language\":\"sw\"}", "Hii ni sentensi fupi kwa lugha ya Kiswahili na si "
	 "ndefu.", true},
	{"language:response_language", "{\"language\":\"pt\"}",
	 "Esta é uma frase curta em português e não é longa.", true},
	{"language:response_language", "{\"language\":\"it\"}", "Questa è una frase breve in italiano che non è lunga.",
	 true},
	{"language:response_language", "{\"language\":\"fi\"}",
	 "Tämä on lyhyt lause suomeksi, ja se ei ole pitkä.", true},
	{"language:response_language", "{\"language\":\"ko\"}", "이것은 한국어로 쓴 짧은 문장입니다.", true},
	{"language:response_language", "{\"language\":\"th\"}", "นี่คือประโยคสั้น ๆ ภาษาไทย", true},
	{"language:response_language", "{\"language\":\"ta\"}", "இது ஒரு சிறிய வாக்கியம்.", true},
	{"language:response_language", "{\"language\":\"kn\"}", "ಇದು ಒಂದು ಸಣ್ಣ ವಾಕ್ಯ.", true},
	{"language:response_language", "{\"language\":\"bn\"}", "এটি একটি ছোট বাক্য।", true},
	{"language:response_language", "{\"language\":\"pa\"}", "ਇਹ ਇੱਕ ਛੋਟਾ ਵਾਕ ਹੈ।", true},
	{"language:response_language", "{\"language\":\"gu\"}", "આ એક નાનું વાક્ય છે.", true},
	{"language:response_language", "{\"language\":\"te\"}", "ఇది ఒక చిన్న వాక్యం.", true},
	{"language:response_language", "{\"language\":\"th\"}", "ఇది ఒక చిన్న వాక్యం.", false},
	/* no language can be told */
	{"language:response_language", "{\"language\":\"de\"}", "123 !!!", true},

	{"length_constraints:nth_paragraph_first_word", FIRST(2, 2, "cats"), "One.\n\nCats sleep.", true},
	{"length_constraints:nth_paragraph_first_word", FIRST(2, 2, "cats"), "Cats.\n\nDogs sleep.", false},
	{"length_constraints:nth_paragraph_first_word", FIRST(3, 2, "cats"), "One.\n\nCats sleep.", false},
	{"length_constraints:nth_paragraph_first_word", FIRST(2, 1, "cats"), "\"Cats!\" he said.\n\nDogs.", true},
	{"length_constraints:nth_paragraph_first_word", FIRST(2, 1, "CATS"), "cats, many.\n\nDogs.", true},
	{"length_constraints:nth_paragraph_first_word", FIRST(2, 1, "cats"), "One.\nCats.\n\nDogs.", false},
	{"length_constraints:nth_paragraph_first_word", FIRST(1, 2, "cats"), "Cats.", false},
	{"length_constraints:nth_paragraph_first_word", FIRST(2, 2, "cats"), "One.\n\n\n\nCats.", false},
	/* the second one is blank */
	{"length_constraints:nth_paragraph_first_word", FIRST(1, 1, "cat"), "Cat's eyes", true},
	/* up to the apostrophe */
	{"length_constraints:nth_paragraph_first_word", FIRST(1, 1, "cats"), "Cats; dogs", false},
	/* a semicolon stays */

	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "One\n***\nTwo", true},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "One\n\nTwo", false},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":1}", "One\n\nTwo", true},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":3}", "One\n***\nTwo", false},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "***\nOne\n***\nTwo\n***", true},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "One\n***\n\n***\nTwo", false},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "One***Two", true},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":2}", "One\n* * *\nTwo", false},
	{"length_constraints:number_paragraphs", "{\"num_paragraphs\":3}", "One ******Two", false},
	/* a blank one between */

	{"length_constraints:number_sentences", SENTENCES(2, "at least"), "One. Two.", true},
	{"length_constraints:number_sentences", SENTENCES(3, "at least"), "One. Two.", false},
	{"length_constraints:number_sentences", SENTENCES(3, "less than"), "One. Two.", true},
	{"length_constraints:number_sentences", SENTENCES(2, "less than"), "One. Two.", false},
	{"length_constraints:number_sentences", SENTENCES(2, "less than"), "Dr. Smith came at 3.15 today", true},
	{"length_constraints:number_sentences", SENTENCES(3, "at least"), "Really? Yes! Good.", true},
	{"length_constraints:number_sentences", SENTENCES(2, "at least"), "Wait... what", false},
	/* a small letter goes on */
	{"length_constraints:number_sentences", SENTENCES(2, "at least"), "He said \"No.\" Then he left.", true},
	{"length_constraints:number_sentences", SENTENCES(2, "less than"), "no mark at all", true},
	{"length_constraints:number_sentences", SENTENCES(2, "at least"), "First line.\nSecond line.", true},

	{"length_constraints:number_words", WORDS(3, "at least"), "one two three", true},
	{"length_constraints:number_words", WORDS(4, "at least"), "one two three", false},
	{"length_constraints:number_words", WORDS(4, "less than"), "one two three", true},
	{"length_constraints:number_words", WORDS(3, "less than"), "one two three", false},
	{"length_constraints:number_words", WORDS(2, "at least"), "don't", true},                   /* don, t */
	{"length_constraints:number_words", WORDS(2, "at least"), "snake_case", false},
	{"length_constraints:number_words", WORDS(2, "at least"), "3.5", true},
	{"length_constraints:number_words", WORDS(1, "at least"), "!!! --- ...", false},
	{"length_constraints:number_words", WORDS(2, "less than"), "\xc3\xa9t\xc3\xa9", true},

	{"punctuation:no_comma", "{}", "No comma here.", true},
	{"punctuation:no_comma", "{}", "One, two", false},
	{"punctuation:no_comma", "{}", "1,000", false},
	{"punctuation:no_comma", "{}", ",", false},
	{"punctuation:no_comma", "{}", "a; b: c", true},
	/* the fullwidth one is another */
	{"punctuation:no_comma", "{}", "\xe4\xb8\x80\xef\xbc\x8c\xe4\xba\x8c", true},
	{"punctuation:no_comma", "{}", "don't", true},
	{"punctuation:no_comma", "{}", "end,", false},

	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. The end.", true},
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. THE END.", true},
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. The end. Bye", false},
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. The end", false},
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. The end.\n\n", true},
	/* quotes at the ends fall off */
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "\"A story. The end.\"", true},
	{"startend:end_checker", "{\"end_phrase\":\" the end. \"}", "The end.", true},
	{"startend:end_checker", "{\"end_phrase\":\"The end.\"}", "*The end.*", false},
	/* no whole word is asked for */
	{"startend:end_checker", "{\"end_phrase\":\"end\"}", "friend", true},

	{"startend:quotation", "{}", "\"quoted\"", true},
	{"startend:quotation", "{}", "quoted", false},
	{"startend:quotation", "{}", "\"quoted", false},
	{"startend:quotation", "{}", "quoted\"", false},
	{"startend:quotation", "{}", "\"", false},
	{"startend:quotation", "{}", "\"\"", true},
	{"startend:quotation", "{}", "  \"quoted\"\n", true},
	{"startend:quotation", "{}", "'quoted'", false},
	{"startend:quotation", "{}", "\xe2\x80\x9cquoted\xe2\x80\x9d", false},
	{"startend:quotation", "{}", "\"one\" and \"two\"", true},
};
