// Elementwise kernels of networks/activation.py, each one pass over its operands.
//
// Tensors are [rows, channels] with channels innermost (channels_last), float32 or bfloat16, channels a
// multiple of 16. d = x - shift[channel] throughout, held to [-wide, wide] except where the range penalty
// measures it. One thread: training runs one process a core.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#ifdef __AVX512F__
#include <immintrin.h>
#endif
#include <torch/extension.h>

using torch::Tensor;
typedef float F __attribute__((vector_size(64)));
typedef uint32_t U __attribute__((vector_size(64)));
typedef uint16_t H __attribute__((vector_size(32)));
constexpr int64_t LANES = 16;
// Rows of 16 channels that are treated alike: summed in float32 before the sum goes to float64, and marked as holding
// values beyond `reach` or not. Few do, and those that do not need none of the operations on such values.
constexpr int64_t BLOCK = 64;

static inline F load(const float* p) { F v; std::memcpy(&v, p, 64); return v; }
static inline F load(const at::BFloat16* p) {
  H h; std::memcpy(&h, p, 32);
  U u = __builtin_convertvector(h, U) << 16;
  return (F)u;
}
static inline void store(float* p, F v) { std::memcpy(p, &v, 64); }
static inline void store(at::BFloat16* p, F v) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
  U u = (U)v;
  u = (u + 0x7fff + ((u >> 16) & 1)) >> 16;  // round to nearest, ties to even
  H h = __builtin_convertvector(u, H);
  std::memcpy(p, &h, 32);
#endif
}
#ifdef __AVX512F__
static inline F smaller(F a, F b) { return (F)_mm512_min_ps((__m512)a, (__m512)b); }
static inline F larger(F a, F b) { return (F)_mm512_max_ps((__m512)a, (__m512)b); }
#else
static inline F smaller(F a, F b) { return a < b ? a : b; }
static inline F larger(F a, F b) { return a > b ? a : b; }
#endif
static inline F held(F d, F wide) { return larger(smaller(d, wide), -wide); }
static inline F beyond(F d, F reach) { return d - held(d, reach); }  // the part of d outside [-reach, reach], with its sign

template <class Body> static void dispatch(const Tensor& x, Body body) {
  if (x.scalar_type() == at::kBFloat16) return body((at::BFloat16*)nullptr);
  TORCH_CHECK(x.scalar_type() == at::kFloat, "needs float32 or bfloat16");
  body((float*)nullptr);
}

// Calls body(first row, end, channel, marked) for each block; marked is std::true_type or std::false_type.
template <class Body> static void blocks(const Tensor& x, const uint8_t* marks, Body body) {
  int64_t rows = x.size(0), channels = x.size(1);
  for (int64_t start = 0; start < rows; start += BLOCK)
    for (int64_t c = 0; c < channels; c += LANES) {
      int64_t end = std::min(rows, start + BLOCK);
      if (*marks++) body(start, end, c, std::true_type());
      else body(start, end, c, std::false_type());
    }
}

// [6, channels]: sums of d, d^2, d^3, d^4, of beyond(d, reach)^2 and of d beyond(d, reach); and the marks of the blocks.
std::vector<Tensor> moments(Tensor x, Tensor shift, Tensor reach, Tensor wide) {
  int64_t rows = x.size(0), channels = x.size(1);
  Tensor out = torch::zeros({6, channels}, torch::kFloat64);
  Tensor marks = torch::zeros({(rows + BLOCK - 1) / BLOCK * (channels / LANES)}, torch::kUInt8);
  double* sums = out.data_ptr<double>();
  uint8_t* mark = marks.data_ptr<uint8_t>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t* px = x.data_ptr<scalar_t>();
    for (int64_t start = 0; start < rows; start += BLOCK) {
      int64_t end = std::min(rows, start + BLOCK);
      for (int64_t c = 0; c < channels; c += LANES, mark++) {
        F s = load(shift.data_ptr<float>() + c), r = load(reach.data_ptr<float>() + c);
        F w = load(wide.data_ptr<float>() + c), most = {}, least = smaller(r, w);
        F a[6] = {}, b[4] = {};
        auto add = [](F d, F q, F* to) { to[0] += d; to[1] += q; to[2] += q * d; to[3] += q * q; };
        int64_t i = start;
        for (; i + 1 < end; i += 2) {
          F d = load(px + i * channels + c) - s, q = d * d, e = load(px + (i + 1) * channels + c) - s, t = e * e;
          add(d, q, a); add(e, t, b);
          most = larger(most, larger(q, t));
        }
        if (i < end) { F d = load(px + i * channels + c) - s, q = d * d; add(d, q, a); most = larger(most, q); }
        auto outside = most > least * least;
        for (int j = 0; j < LANES; j++) *mark |= outside[j] != 0;
        for (int k = 0; k < 4; k++) a[k] += b[k];
        if (*mark) {
          for (F& sum : a) sum = F{};
          for (i = start; i < end; i++) {
            F raw = load(px + i * channels + c) - s, e = beyond(raw, r), d = held(raw, w);
            add(d, d * d, a);
            a[4] += e * e;
            a[5] += e * raw;
          }
        }
        for (int k = 0; k < 6; k++)
          for (int j = 0; j < LANES; j++) sums[k * channels + c + j] += a[k][j];
      }
    }
  });
  return {out.to(torch::kFloat32), marks};
}

// k0 + k1 d + k2 d^2 with k [3, channels], plus `added` of x's shape if there is one.
Tensor apply(Tensor x, Tensor shift, Tensor k, Tensor wide, Tensor marks, std::optional<Tensor> added) {
  int64_t channels = x.size(1);
  Tensor out = torch::empty_like(x);
  const float* pk = k.data_ptr<float>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t *px = x.data_ptr<scalar_t>(), *pa = added ? added->data_ptr<scalar_t>() : nullptr;
    scalar_t* py = out.data_ptr<scalar_t>();
    blocks(x, marks.data_ptr<uint8_t>(), [&](int64_t start, int64_t end, int64_t c, auto marked) {
      F s = load(shift.data_ptr<float>() + c), w = load(wide.data_ptr<float>() + c);
      F k0 = load(pk + c), k1 = load(pk + channels + c), k2 = load(pk + 2 * channels + c);
      auto value = [&](int64_t i) {
        F d = load(px + i * channels + c) - s;
        if constexpr (marked) d = held(d, w);
        return (k2 * d + k1) * d + k0;
      };
      if (pa) for (int64_t i = start; i < end; i++) store(py + i * channels + c, value(i) + load(pa + i * channels + c));
      else for (int64_t i = start; i < end; i++) store(py + i * channels + c, value(i));
    });
  });
  return out;
}

// [3, channels]: sums of g, g d, g d^2.
Tensor reduce(Tensor x, Tensor shift, Tensor g, Tensor wide, Tensor marks) {
  int64_t channels = x.size(1);
  Tensor out = torch::zeros({3, channels}, torch::kFloat64);
  double* sums = out.data_ptr<double>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t *px = x.data_ptr<scalar_t>(), *pg = g.data_ptr<scalar_t>();
    blocks(x, marks.data_ptr<uint8_t>(), [&](int64_t start, int64_t end, int64_t c, auto marked) {
      F s = load(shift.data_ptr<float>() + c), w = load(wide.data_ptr<float>() + c);
      F a[3] = {}, b[3] = {};
      auto add = [&](int64_t i, F* to) {
        F d = load(px + i * channels + c) - s, v = load(pg + i * channels + c);
        if constexpr (marked) d = held(d, w);
        F t = v * d;
        to[0] += v; to[1] += t; to[2] += t * d;
      };
      int64_t i = start;
      for (; i + 1 < end; i += 2) { add(i, a); add(i + 1, b); }
      if (i < end) add(i, a);
      for (int k = 0; k < 3; k++) {
        a[k] += b[k];
        for (int j = 0; j < LANES; j++) sums[k * channels + c + j] += a[k][j];
      }
    });
  });
  return out.to(torch::kFloat32);
}

// Gradient of x: g (k1 + 2 k2 d) + m0 + m1 d + m2 d^2 + m3 d^3 within [-wide, wide], + e beyond(d, reach);
// k [3, channels], m [4, channels], e [channels].
Tensor combine(Tensor x, Tensor shift, Tensor g, Tensor k, Tensor m, Tensor reach, Tensor e, Tensor wide, Tensor marks) {
  int64_t channels = x.size(1);
  Tensor out = torch::empty_like(x);
  const float *pk = k.data_ptr<float>(), *pm = m.data_ptr<float>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t *px = x.data_ptr<scalar_t>(), *pg = g.data_ptr<scalar_t>();
    scalar_t* py = out.data_ptr<scalar_t>();
    blocks(x, marks.data_ptr<uint8_t>(), [&](int64_t start, int64_t end, int64_t c, auto marked) {
      F s = load(shift.data_ptr<float>() + c), r = load(reach.data_ptr<float>() + c);
      F w = load(wide.data_ptr<float>() + c), zero = {};
      F k1 = load(pk + channels + c), k2 = 2.0f * load(pk + 2 * channels + c);
      F m0 = load(pm + c), m1 = load(pm + channels + c), m2 = load(pm + 2 * channels + c);
      F m3 = load(pm + 3 * channels + c), pe = load(e.data_ptr<float>() + c);
      for (int64_t i = start; i < end; i++) {
        F d = load(px + i * channels + c) - s, v = load(pg + i * channels + c);
        F grad = v * (k1 + k2 * d) + (((m3 * d + m2) * d + m1) * d + m0);
        if constexpr (marked) grad = (beyond(d, w) == zero ? grad : zero) + pe * beyond(d, r);
        store(py + i * channels + c, grad);
      }
    });
  });
  return out;
}

// Statistics [3, channels] (mean and variance of d, variance of z^2) from the means of d ... d^4, and the
// activation's coefficients k [3, channels] from statistics and weights: activation.py's `statistics` and
// `coefficients`, whose many operations on vectors this short would cost as much as a kernel above.
constexpr double EPSILON = 1e-5, SMALLEST_SPREAD = 0.1;

Tensor statistics(Tensor moments) {
  int64_t n = moments.size(1);
  Tensor out = torch::empty({3, n});
  const float* m = moments.data_ptr<float>();
  float* s = out.data_ptr<float>();
  for (int64_t c = 0; c < n; c++) {
    double m1 = m[c], m2 = m[n + c], m3 = m[2 * n + c], m4 = m[3 * n + c];
    double variance = std::max(m2 - m1 * m1, 0.0), r = variance + EPSILON;
    double fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1;
    s[c] = m1, s[n + c] = variance, s[2 * n + c] = std::max(fourth / (r * r) - 1, SMALLEST_SPREAD);
  }
  return out;
}

Tensor coefficients(Tensor stats, Tensor weights) {
  int64_t n = stats.size(1);
  Tensor out = torch::empty({3, n});
  const float *s = stats.data_ptr<float>(), *w = weights.data_ptr<float>();
  float* k = out.data_ptr<float>();
  for (int64_t c = 0; c < n; c++) {
    double scale = 1 / std::sqrt(s[n + c] + EPSILON), shift = -s[c] * scale;
    double a = w[2 * n + c] / std::sqrt(s[2 * n + c] + EPSILON), b = w[n + c];
    k[c] = (a * shift + b) * shift + w[c] - a;
    k[n + c] = (2 * a * shift + b) * scale;
    k[2 * n + c] = a * scale * scale;
  }
  return out;
}

// Gradients of weights [3, channels] and of moments [4, channels] (zero if `fixed`) from those of k, by the
// chain rule through `coefficients` and `statistics`. `pull` [channels] is the excess's gradient times d, summed: the reach
// follows the deviation.
std::vector<Tensor> chain(Tensor moments, Tensor stats, Tensor weights, Tensor gradient, Tensor pull, bool fixed) {
  int64_t n = stats.size(1);
  Tensor g_weights = torch::empty({3, n}), g_moments = torch::zeros({4, n});
  const float *m = moments.data_ptr<float>(), *s = stats.data_ptr<float>(), *w = weights.data_ptr<float>();
  const float *g = gradient.data_ptr<float>(), *p = pull.data_ptr<float>();
  float *gw = g_weights.data_ptr<float>(), *gm = g_moments.data_ptr<float>();
  for (int64_t c = 0; c < n; c++) {
    double r = s[n + c] + EPSILON, q = s[2 * n + c] + EPSILON;
    double scale = 1 / std::sqrt(r), shift = -s[c] * scale, t = 1 / std::sqrt(q);
    double a = w[2 * n + c] * t, b = w[n + c], slope = 2 * a * shift + b;
    double g0 = g[c], g1 = g[n + c], g2 = g[2 * n + c];
    double g_a = g0 * (shift * shift - 1) + g1 * 2 * shift * scale + g2 * scale * scale;
    gw[c] = g0, gw[n + c] = g0 * shift + g1 * scale, gw[2 * n + c] = g_a * t;
    if (fixed) continue;
    double m1 = m[c], m2 = m[n + c], m3 = m[2 * n + c], m4 = m[3 * n + c];
    double g_shift = g0 * slope + g1 * 2 * a * scale;
    double g_scale = g1 * slope + g2 * 2 * a * scale - g_shift * m1;
    double g_m1 = -g_shift * scale, g_r = -g_scale * scale / (2 * r) - p[c] / r;
    if (s[2 * n + c] > float(SMALLEST_SPREAD)) {
      double g_spread = -g_a * w[2 * n + c] * t / (2 * q), g_fourth = g_spread / (r * r);
      double fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1;
      g_r -= 2 * g_spread * fourth / (r * r * r);
      g_m1 += g_fourth * (-4 * m3 + 12 * m1 * m2 - 12 * m1 * m1 * m1);
      gm[n + c] = 6 * m1 * m1 * g_fourth, gm[2 * n + c] = -4 * m1 * g_fourth, gm[3 * n + c] = g_fourth;
    }
    if (s[n + c] > 0) gm[n + c] += g_r, g_m1 -= 2 * m1 * g_r;
    gm[c] = g_m1;
  }
  return {g_weights, g_moments};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("moments", &moments);
  module.def("apply", &apply);
  module.def("reduce", &reduce);
  module.def("combine", &combine);
  module.def("statistics", &statistics);
  module.def("coefficients", &coefficients);
  module.def("chain", &chain);
}
