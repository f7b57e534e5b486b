/* libmote: what a program needs that runs models from mote files, in the order in which it will need it.
 *
 *   mote_model_open()          the file, its weights bound
 *   mote_tokenizer_open()      over section MOTE_SECTION_TOKENIZER of model->container
 *   mote_session_open()        KV cache, workspace, threads
 *   mote_tokenizer_encode()    text to ids; or mote_chat_render() and mote_tokenizer_encode_spans()
 *   mote_session_forward()     logits for any batch of (token, position, sequence)
 *   mote_sampler_next()        the next id, and mote_detokenizer_next() its text
 *
 * mote_scheduler_open() and mote_answer_generate() do the last two for one answer; mote_scheduler_step() does them for
 * many side by side. Each header says what its functions
 * take, return and own. Build with `pkg-config --cflags --libs mote`; docs/ask.c is a whole program.
 */
#ifndef MOTE_H
#define MOTE_H

#include "format/block.h"
#include "format/container.h"
#include "format/json.h"
#include "format/status.h"
#include "runtime/model/model.h"
#include "runtime/model/session.h"
#include "runtime/generate/answer.h"
#include "runtime/chat/chat.h"
#include "runtime/chat/reasoning.h"
#include "runtime/generate/sampler.h"
#include "runtime/generate/logit_row.h"
#include "runtime/generate/scheduler.h"
#include "runtime/template/template.h"
#include "runtime/tokenizer/tokenizer.h"

#endif
