"""Reading a prompt in llama-cpp-python, timed by llama.cpp itself: the median as JSON.

python llama_own.py MODEL.gguf THREADS
"""

import json
import statistics
import sys

TOKENS, READS = 16, 70


def main(path: str, threads: str) -> None:
    """Twenty reads to warm up, fifty that count: as a block of the standard preset."""
    import llama_cpp

    count = int(threads)
    model = llama_cpp.Llama(
        path, n_ctx=64, n_threads=count, n_threads_batch=count, no_perf=False, verbose=False
    )
    prompt = [1 + place % 100 for place in range(TOKENS)]
    took = []
    for _ in range(READS):
        model.reset()
        llama_cpp.llama_perf_context_reset(model.ctx)
        model.eval(prompt)
        llama_cpp.llama_synchronize(model.ctx)  # only then does it count
        took.append(llama_cpp.llama_perf_context(model.ctx).t_p_eval_ms * 1e6)
    print(json.dumps({"median_ns": statistics.median(took[20:])}))


main(*sys.argv[1:])
