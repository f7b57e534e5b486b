/* Recipes: see recipe.h. */
#include "quant/encode/recipe.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/architecture.h"

enum mote_status mote_rule_parse(const char *text, char **pattern, enum mote_type *type, struct mote_error *error)
{
	const char *equals = strrchr(text, '=');

	*pattern = NULL;
	if (!equals || equals == text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "tensor rule '%s': expected PATTERN=TYPE, as in '*.down_proj.weight=q8'", text);
	if (!mote_type_from_name(equals + 1, type))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "tensor rule '%s': unknown type '%s' (expected q3, q4, q5, q6, q8, q3b to q8b, "
				      "f16, bf16 or f32)", text, equals + 1);
	*pattern = strndup(text, (size_t)(equals - text));
	return *pattern ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "tensor rule: out of memory");
}

bool mote_is_vocabulary_matrix(const char *name)
{
	const struct mote_weight *w = mote_weight_find(name, NULL);

	return w && (w->flags & MOTE_WEIGHT_VOCABULARY);
}

static bool rule_matches(const struct mote_rule *rule, const struct mote_tensor *tensor)
{
	return tensor->rank == 2 && fnmatch(rule->pattern, tensor->name, 0) == 0;
}

enum mote_type mote_recipe_type(const struct mote_recipe *recipe, const struct mote_tensor *tensor)
{
	if (tensor->rank == 1)
		return MOTE_F32;
	for (uint32_t i = recipe->n_rules; i-- > 0;)
		if (rule_matches(&recipe->rules[i], tensor))
			return recipe->rules[i].type;
	if (mote_type_is_quantized(recipe->type) && mote_is_vocabulary_matrix(tensor->name))
		return MOTE_Q8;
	return recipe->type;
}

enum mote_status mote_recipe_check(const struct mote_recipe *recipe, const struct mote_container *c,
				   struct mote_error *error)
{
	uint32_t count = mote_container_tensor_count(c);

	for (uint32_t i = 0; i < recipe->n_rules; i++) {
		bool matched = false;

		for (uint32_t t = 0; t < count && !matched; t++)
			matched = rule_matches(&recipe->rules[i], mote_container_tensor(c, t));
		if (!matched)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "tensor rule '%s=%s' matches no matrix of %s", recipe->rules[i].pattern,
					      mote_type_name(recipe->rules[i].type), mote_container_path(c));
	}
	for (uint32_t t = 0; t < count && !recipe->requantize; t++) {
		const struct mote_tensor *tensor = mote_container_tensor(c, t);

		if (tensor->rank == 2 && mote_type_is_quantized(tensor->type) &&
		    mote_recipe_type(recipe, tensor) != tensor->type)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "%s: tensor '%s' is %s already; quantizing it again would add one "
					      "error to another, so take the unquantized file, or say --requantize",
					      mote_container_path(c), tensor->name, mote_type_name(tensor->type));
	}
	return MOTE_OK;
}
