/* Which variables start out undefined.
 *
 * Jinja2 decides per scope, when it compiles, where each variable comes from. A name that a scope assigns to
 * before it reads it (in the order of the text, nested scopes not counted) is the scope's own from the start:
 *
 *     {% for m in messages %}{{ x }}{% endfor %}{% set x = 1 %}
 *
 * prints nothing for x even when the context has one. An assignment in a branch of "if" does not count, nor one to
 * a name that an enclosing scope knows. All else a lookup through the scopes at run time gives by itself.
 */
#include "runtime/template/parse/parser.h"

struct frame {
	struct frame *outer;
	uint8_t *known;          /* [names] 1: read or assigned to here */
	struct jinja_missing *missing;
};

struct analysis {
	struct jinja *j;
	uint32_t n_names;
};

static bool known_outside(const struct frame *f, uint32_t name)
{
	for (f = f->outer; f; f = f->outer)
		if (f->known[name])
			return true;
	return false;
}

static void load(struct frame *f, uint32_t name)
{
	if (!known_outside(f, name))
		f->known[name] = 1;
}

static void store(struct analysis *a, struct frame *f, uint32_t name, bool conditional)
{
	struct jinja_missing *m = f->missing;
	uint32_t *grown;

	if (f->known[name])
		return;
	f->known[name] = 1;
	if (conditional || known_outside(f, name))
		return;
	if (!(m->count & (m->count - 1))) { /* 0, 1, 2, 4, ...: room for twice as many */
		grown = mote_jinja_alloc_array(a->j, m->count ? 2 * m->count : 1, sizeof *grown);
		if (m->count)
			memcpy(grown, m->names, m->count * sizeof *grown);
		m->names = grown;
	}
	m->names[m->count++] = name;
}

static void load_args(struct analysis *a, struct frame *f, const struct jinja_call_args *args);

static void load_names(struct analysis *a, struct frame *f, const struct jinja_expr *e)
{
	if (!e)
		return;
	mote_jinja_charge(a->j, 1);
	if (e->op == JINJA_NAME || e->op == JINJA_NAMESPACE_TARGET)
		load(f, e->name);
	load_names(a, f, e->a);
	load_names(a, f, e->b);
	load_names(a, f, e->c);
	load_names(a, f, e->d);
	for (uint32_t i = 0; i < e->n_list; i++)
		load_names(a, f, e->list[i]);
	load_args(a, f, e->args);
}

static void load_args(struct analysis *a, struct frame *f, const struct jinja_call_args *args)
{
	if (!args)
		return;
	for (uint32_t i = 0; i < args->count; i++)
		load_names(a, f, args->values[i]);
	for (uint32_t i = 0; i < args->n_keywords; i++)
		load_names(a, f, args->keywords[i]);
	load_names(a, f, args->star);
	load_names(a, f, args->star_star);
}

static void store_target(struct analysis *a, struct frame *f, const struct jinja_expr *e, bool conditional)
{
	if (e->op == JINJA_NAME)
		store(a, f, e->name, conditional);
	else if (e->op == JINJA_NAMESPACE_TARGET)
		load(f, e->name);
	else
		for (uint32_t i = 0; i < e->n_list; i++)
			store_target(a, f, e->list[i], conditional);
}

/* What the scope itself does, without the scopes inside of it. */
static void visit(struct analysis *a, struct frame *f, struct jinja_stmt *s, bool conditional)
{
	for (; s; s = s->next) {
		mote_jinja_charge(a->j, 1);
		switch (s->op) {
		case JINJA_OUTPUT:
		case JINJA_FOR:
		case JINJA_FILTER_BLOCK:
		case JINJA_CALL_BLOCK:
			load_names(a, f, s->expr);
			break;
		case JINJA_IF:
			for (struct jinja_stmt *branch = s; branch; branch = branch->orelse) {
				if (branch != s && !branch->is_elif) {
					visit(a, f, branch, true);
					break;
				}
				load_names(a, f, branch->expr);
				visit(a, f, branch->body, true);
			}
			break;
		case JINJA_SET:
			load_names(a, f, s->expr);
			store_target(a, f, s->target, conditional);
			break;
		case JINJA_SET_BLOCK:
			store_target(a, f, s->target, conditional);
			break;
		case JINJA_MACRO_DEF:
			store(a, f, s->name, conditional);
			break;
		case JINJA_WITH:
			for (uint32_t i = 0; i < s->n_list; i++)
				load_names(a, f, s->values[i]);
			break;
		default:
			break;
		}
	}
}

static void enter_scopes(struct analysis *a, struct frame *f, struct jinja_stmt *s);

static struct frame new_frame(struct analysis *a, struct frame *outer, struct jinja_missing *missing)
{
	return (struct frame){.outer = outer, .known = mote_jinja_alloc(a->j, a->n_names), .missing = missing};
}

static void parameter(struct frame *f, const struct jinja_expr *e)
{
	if (e->op == JINJA_NAME)
		f->known[e->name] = 1;
	for (uint32_t i = 0; i < e->n_list; i++)
		parameter(f, e->list[i]);
}

/* The scope of s's body (or of a loop's "else"), then those inside of it. */
static void scope(struct analysis *a, struct frame *outer, struct jinja_stmt *s, bool of_else)
{
	struct frame f = new_frame(a, outer, of_else ? &s->else_missing : &s->missing);
	struct jinja_stmt *body = of_else ? s->orelse : s->body;

	f.known[JINJA_NAME_LOOP] = s->op == JINJA_FOR && !of_else;
	if (s->op == JINJA_FOR && !of_else)
		parameter(&f, s->target);
	for (uint32_t i = 0; i < s->n_list; i++)
		parameter(&f, s->targets[i]);
	for (uint32_t i = 0; i < s->signature.count; i++)
		f.known[s->signature.names[i]] = 1;
	for (uint32_t i = 0; i < s->signature.count; i++)
		load_names(a, &f, s->signature.defaults[i]);
	visit(a, &f, body, false);
	enter_scopes(a, &f, body);
}

static void enter_scopes(struct analysis *a, struct frame *f, struct jinja_stmt *s)
{
	for (; s; s = s->next) {
		if (s->op == JINJA_IF) {
			for (struct jinja_stmt *branch = s; branch; branch = branch->orelse) {
				if (branch != s && !branch->is_elif) {
					enter_scopes(a, f, branch);
					break;
				}
				enter_scopes(a, f, branch->body);
			}
			continue;
		}
		if (s->body)
			scope(a, f, s, false);
		if (s->orelse)
			scope(a, f, s, true);
	}
}

void mote_jinja_analyse(struct jinja *j, struct jinja_stmt *body, uint32_t n_names, struct jinja_missing *root)
{
	struct analysis a = {.j = j, .n_names = n_names};
	struct frame f = new_frame(&a, NULL, root);

	visit(&a, &f, body, false);
	enter_scopes(&a, &f, body);
}
