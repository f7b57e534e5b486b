"""Small random checkpoints of every family, in the shapes and with the names that its class saves."""
import json
import math
import os
import struct

import numpy as np

VOCAB = 99


def shapes(c):
    """Names and shapes as the family's class would save them."""
    if "text_config" in c:
        text = {"language_model." + n: shape for n, shape in shapes(c["text_config"]).items()}
        return dict(text, **{"vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight": (8, 8),
                             "multi_modal_projector.mm_soft_emb_norm.weight": (8,)})
    kind, hidden, ffn = c["model_type"], c["hidden_size"], c.get("shared_intermediate_size", c["intermediate_size"])
    dim = c.get("head_dim") or hidden // c["num_attention_heads"]
    q, kv = c["num_attention_heads"] * dim, c["num_key_value_heads"] * dim
    out = {"model.embed_tokens.weight": (c["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    if not c.get("tie_word_embeddings", kind == "gemma3_text"):
        out["lm_head.weight"] = (c["vocab_size"], hidden)
    for i in range(c["num_hidden_layers"]):
        layer = {"self_attn.o_proj.weight": (hidden, q), "mlp.down_proj.weight": (hidden, ffn)}
        if kind == "phi3":
            layer.update({"self_attn.qkv_proj.weight": (q + 2 * kv, hidden),
                          "mlp.gate_up_proj.weight": (2 * ffn, hidden)})
        elif kind == "granitemoehybrid":
            layer = {"self_attn.o_proj.weight": (hidden, q), "self_attn.q_proj.weight": (q, hidden),
                     "self_attn.k_proj.weight": (kv, hidden), "self_attn.v_proj.weight": (kv, hidden),
                     "shared_mlp.input_linear.weight": (2 * ffn, hidden),
                     "shared_mlp.output_linear.weight": (hidden, ffn)}
        else:
            layer.update({"self_attn.q_proj.weight": (q, hidden), "self_attn.k_proj.weight": (kv, hidden),
                          "self_attn.v_proj.weight": (kv, hidden), "mlp.gate_proj.weight": (ffn, hidden),
                          "mlp.up_proj.weight": (ffn, hidden)})
        norms = ["input_layernorm", "post_attention_layernorm"]
        if kind in ("olmo2", "olmo3", "exaone4"):
            norms = ["post_attention_layernorm", "post_feedforward_layernorm"]
        if kind in ("gemma2", "gemma3_text"):
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        layer.update({n + ".weight": (hidden,) for n in norms})
        if kind == "hunyuan_v1_dense":
            layer.update({"self_attn.query_layernorm.weight": (dim,), "self_attn.key_layernorm.weight": (dim,)})
        if kind in ("qwen3", "gemma3_text", "exaone4"):
            layer.update({"self_attn.q_norm.weight": (dim,), "self_attn.k_norm.weight": (dim,)})
        if kind in ("olmo2", "olmo3"):
            layer.update({"self_attn.q_norm.weight": (q,), "self_attn.k_norm.weight": (kv,)})
        biased = {"q": q, "k": kv, "v": kv} if kind == "qwen2" or c.get("use_qkv_bias") or c.get("attention_bias") else {}
        layer.update({f"self_attn.{n}_proj.bias": (rows,) for n, rows in biased.items()})
        if c.get("attention_bias"):
            layer["self_attn.o_proj.bias"] = (hidden,)
        if c.get("mlp_bias"):
            layer.update({"mlp.gate_proj.bias": (ffn,), "mlp.up_proj.bias": (ffn,), "mlp.down_proj.bias": (hidden,)})
        if kind == "stablelm":
            layer.update({n + ".bias": (hidden,) for n in norms})
        out.update({f"model.layers.{i}.{n}": shape for n, shape in layer.items()})
    if kind == "stablelm":
        out["model.norm.bias"] = (hidden,)
    return out


def random_tensors(c, seed):
    rng, out = np.random.default_rng(seed), {}
    for name, shape in sorted(shapes(c).items()):
        if len(shape) == 2:
            x = rng.normal(0, 1.5 / math.sqrt(shape[1]), shape)
            if name.endswith("model.embed_tokens.weight"):
                x *= 0.5
        else:
            x = rng.normal(0, 0.2, shape)
            if name.endswith("norm.weight") and not c["model_type"].startswith("gemma"):
                x += 1
        out[name] = x.astype(np.float32)
    return out


def write_tensors(path, tensors):
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(x.tobytes() for x in tensors.values()))


def write_checkpoint(folder, config, tensors):
    os.makedirs(folder, exist_ok=True)
    write_tensors(folder + "/model.safetensors", tensors)
    with open(folder + "/config.json", "w") as f:
        json.dump(config, f)
    vocab = {"<|end|>": 0, "a": 1, "b": 2, "ab": 3}
    special = {"id": 0, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
               "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [special], "normalizer": None,
                 "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                           "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                           "merges": ["a b"]}}
    with open(folder + "/tokenizer.json", "w") as f:
        json.dump(tokenizer, f)


def base(model_type, architecture, **more):
    c = {"model_type": model_type, "architectures": [architecture], "hidden_size": 64, "num_hidden_layers": 4,
         "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 112, "vocab_size": VOCAB,
         "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": False,
         "bos_token_id": 0, "eos_token_id": 0}
    c.update(more)
    return c


SHORT = [1 + 0.05 * i for i in range(6)]
LONG = [1 + 0.9 * i for i in range(6)]
# name: config, and contexts that the session is opened for
CASES = {
    "llama": (base("llama", "LlamaForCausalLM"), [512]),
    "llama-biases": (base("llama", "LlamaForCausalLM", attention_bias=True, mlp_bias=True), [512]),
    "llama3": (base("llama", "LlamaForCausalLM", rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}), [512]),
    "yarn": (base("llama", "LlamaForCausalLM", max_position_embeddings=128, rope_scaling={
        "rope_type": "yarn", "factor": 4.0}), [512]),
    "yarn-odd": (base("qwen2", "Qwen2ForCausalLM", max_position_embeddings=512, rope_scaling={
        "type": "yarn", "factor": 3.0, "original_max_position_embeddings": 100, "beta_fast": 20.0, "beta_slow": 0.5,
        "attention_factor": 1.3, "truncate": False}), [512]),
    "yarn-factor": (base("llama", "LlamaForCausalLM", max_position_embeddings=512, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "attention_factor": 1.3}), [512]),
    "yarn-betas": (base("qwen2", "Qwen2ForCausalLM", max_position_embeddings=512, rope_scaling={
        "type": "yarn", "factor": 3.0, "original_max_position_embeddings": 100, "beta_fast": 20.0, "beta_slow": 0.5}),
                   [512]),
    "dynamic": (base("llama", "LlamaForCausalLM", max_position_embeddings=128, rope_scaling={
        "type": "dynamic", "factor": 4.0}), [400, 300]),
    "qwen2": (base("qwen2", "Qwen2ForCausalLM", use_sliding_window=False, sliding_window=16, max_window_layers=2,
                   rope_theta=1000000.0), [512]),
    "qwen2-window": (base("qwen2", "Qwen2ForCausalLM", use_sliding_window=True, sliding_window=16, max_window_layers=2),
                     [512]),
    "qwen3": (base("qwen3", "Qwen3ForCausalLM", head_dim=24, tie_word_embeddings=True, attention_bias=False), [512]),
    "mistral": (base("mistral", "MistralForCausalLM", head_dim=20, sliding_window=20, rms_norm_eps=1e-5), [512]),
    "ministral3": ({"model_type": "mistral3", "architectures": ["Mistral3ForConditionalGeneration"],
                    "text_config": base("ministral3", "Ministral3ForCausalLM", head_dim=20, rope_parameters={
                        "type": "yarn", "rope_theta": 1000000.0, "factor": 16.0,
                        "original_max_position_embeddings": 32, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
                        "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1}), "vision_config": {"hidden_size": 8}}, [512]),
    "ministral": (base("ministral", "MinistralForCausalLM", sliding_window=270, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]), [512]),
    "smollm3": (base("smollm3", "SmolLM3ForCausalLM", no_rope_layers=[1, 1, 1, 0], tie_word_embeddings=True), [512]),
    "phi3": (base("phi3", "Phi3ForCausalLM", sliding_window=31, rms_norm_eps=1e-5), [512]),
    "phi3-longrope": (base("phi3", "Phi3ForCausalLM", max_position_embeddings=1024,
                           original_max_position_embeddings=300,
                           partial_rotary_factor=0.75, sliding_window=None, rope_scaling={
                               "type": "longrope", "short_factor": SHORT, "long_factor": LONG}), [300, 301]),
    "granite": (base("granite", "GraniteForCausalLM", embedding_multiplier=12.0, residual_multiplier=0.22,
                     attention_multiplier=0.05, logits_scaling=8.0, tie_word_embeddings=True), [512]),
    "gemma": (base("gemma", "GemmaForCausalLM", head_dim=24, num_key_value_heads=1, hidden_act="gelu",
                   tie_word_embeddings=True), [512]),
    "gemma2": (base("gemma2", "Gemma2ForCausalLM", head_dim=24, sliding_window=21, query_pre_attn_scalar=24,
                    attn_logit_softcapping=5.0, final_logit_softcapping=3.0, tie_word_embeddings=True,
                    hidden_activation="gelu_pytorch_tanh"), [512]),
    "gemma2-scalar": (base("gemma2", "Gemma2ForCausalLM", head_dim=24, sliding_window=21, query_pre_attn_scalar=20,
                    attn_logit_softcapping=5.0, final_logit_softcapping=3.0, tie_word_embeddings=True,
                    hidden_activation="gelu_pytorch_tanh"), [512]),
    "gemma3": (base("gemma3_text", "Gemma3ForCausalLM", num_hidden_layers=7, head_dim=24, sliding_window=21,
                    sliding_window_pattern=6, query_pre_attn_scalar=24, rope_theta=1000000.0,
                    rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 8.0},
                    tie_word_embeddings=True, hidden_activation="gelu_pytorch_tanh"), [512]),
    "gemma3-images": ({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [0],
                       "text_config": {
                           "model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 7, "head_dim": 24,
                           "num_key_value_heads": 4, "num_attention_heads": 8, "intermediate_size": 112,
                           "vocab_size": VOCAB, "sliding_window": 21, "query_pre_attn_scalar": 24,
                           "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
                       "vision_config": {"hidden_size": 8}}, [512]),
    "granite4": (base("granitemoehybrid", "GraniteMoeHybridForCausalLM", embedding_multiplier=12.0,
                      residual_multiplier=0.22, attention_multiplier=0.05, logits_scaling=8.0, num_local_experts=0,
                      intermediate_size=56, shared_intermediate_size=112, layer_types=["attention"] * 4,
                      position_embedding_type="rope", tie_word_embeddings=True), [512]),
    "granite4-nope": (base("granitemoehybrid", "GraniteMoeHybridForCausalLM", num_local_experts=0,
                           shared_intermediate_size=112, layer_types=["attention"] * 4,
                           position_embedding_type="nope", attention_multiplier=0.25), [512]),
    "exaone4": (base("exaone4", "Exaone4ForCausalLM", sliding_window=None, sliding_window_pattern=None,
                     tie_word_embeddings=True, rope_theta=1000000.0, rope_scaling={
                         "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64}), [512]),
    "exaone4-window": (base("exaone4", "Exaone4ForCausalLM", sliding_window=21, num_hidden_layers=6,
                            sliding_window_pattern="LLLG"), [512]),
    "ernie4_5": (base("ernie4_5", "Ernie4_5ForCausalLM", head_dim=24, use_bias=False, rope_theta=500000.0,
                      tie_word_embeddings=True), [512]),
    "hunyuan": (base("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", head_dim=24, use_qk_norm=True, use_cla=False,
                     tie_word_embeddings=True, rope_scaling={"type": "dynamic", "alpha": 1000.0, "factor": 1.0}), [512]),
    "hunyuan-dynamic": (base("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", max_position_embeddings=128,
                             attention_bias=True, rope_scaling={"type": "dynamic", "factor": 4.0}), [400]),
    "helium": (base("helium", "HeliumForCausalLM", head_dim=16, num_key_value_heads=4, rms_norm_eps=1e-8), [512]),
    "olmo2": (base("olmo2", "Olmo2ForCausalLM", num_key_value_heads=4), [512]),
    "olmo3": (base("olmo3", "Olmo3ForCausalLM", num_key_value_heads=4, num_hidden_layers=5, sliding_window=21,
                   rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}), [512]),
    "stablelm": (base("stablelm", "StableLmForCausalLM", layer_norm_eps=1e-5, partial_rotary_factor=0.25,
                      use_qkv_bias=True), [512]),
    "minicpm": (base("minicpm", "MiniCPMForCausalLM", scale_emb=12, scale_depth=1.4, dim_model_base=16,
                     tie_word_embeddings=True), [512]),
    "minicpm-longrope": (base("minicpm", "MiniCPMForCausalLM", scale_emb=12, scale_depth=1.4, dim_model_base=16,
                              max_position_embeddings=1024, tie_word_embeddings=True, rope_scaling={
                                  "rope_type": "longrope", "short_factor": SHORT + [1.3, 1.4],
                                  "long_factor": LONG + [6, 7],
                                  "original_max_position_embeddings": 300}), [300, 301]),
}
