// Elementwise kernels of networks/activation.py, each one pass over its operands.
//
// Tensors are [rows, channels] with channels innermost (channels_last), float32 or bfloat16, channels a
// multiple of 16. d = x - shift[channel] throughout, held to [-wide, wide] except where the range penalty
// measures it. One thread: training runs one process a core.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <torch/extension.h>

using torch::Tensor;
typedef float F __attribute__((vector_size(64)));
typedef uint32_t U __attribute__((vector_size(64)));
typedef uint16_t H __attribute__((vector_size(32)));
constexpr int64_t LANES = 16;
// Rows summed in float32 before the sum goes to float64.
constexpr int64_t BLOCK = 256;

static inline F load(const float* p) { F v; std::memcpy(&v, p, 64); return v; }
static inline F load(const at::BFloat16* p) {
  H h; std::memcpy(&h, p, 32);
  U u = __builtin_convertvector(h, U) << 16;
  return (F)u;
}
static inline void store(float* p, F v) { std::memcpy(p, &v, 64); }
static inline void store(at::BFloat16* p, F v) {
  U u = (U)v;
  u = (u + 0x7fff + ((u >> 16) & 1)) >> 16;  // round to nearest, ties to even
  H h = __builtin_convertvector(u, H);
  std::memcpy(p, &h, 32);
}
static inline F beyond(F d, F reach) {  // the part of d outside [-reach, reach], with its sign
  F zero = {};
  F above = d - reach, below = d + reach;
  return (above > zero ? above : zero) + (below < zero ? below : zero);
}

template <class Body> static void dispatch(const Tensor& x, Body body) {
  if (x.scalar_type() == at::kBFloat16) return body((at::BFloat16*)nullptr);
  TORCH_CHECK(x.scalar_type() == at::kFloat, "needs float32 or bfloat16");
  body((float*)nullptr);
}

static inline F held(F d, F wide) { return d - beyond(d, wide); }

// [5, channels]: sums of d, d^2, d^3, d^4 and of beyond(d, reach)^2.
Tensor moments(Tensor x, Tensor shift, Tensor reach, Tensor wide) {
  int64_t rows = x.size(0), channels = x.size(1);
  Tensor out = torch::zeros({5, channels}, torch::kFloat64);
  double* sums = out.data_ptr<double>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t* px = x.data_ptr<scalar_t>();
    for (int64_t start = 0; start < rows; start += BLOCK) {
      int64_t end = std::min(rows, start + BLOCK);
      for (int64_t c = 0; c < channels; c += LANES) {
        F s = load(shift.data_ptr<float>() + c), r = load(reach.data_ptr<float>() + c);
        F w = load(wide.data_ptr<float>() + c);
        F a[5] = {};
        for (int64_t i = start; i < end; i++) {
          F raw = load(px + i * channels + c) - s, e = beyond(raw, r);
          F d = held(raw, w), q = d * d;
          a[0] += d; a[1] += q; a[2] += q * d; a[3] += q * q; a[4] += e * e;
        }
        for (int k = 0; k < 5; k++)
          for (int j = 0; j < LANES; j++) sums[k * channels + c + j] += a[k][j];
      }
    }
  });
  return out.to(torch::kFloat32);
}

// k0 + k1 d + k2 d^2 with k [3, channels].
Tensor apply(Tensor x, Tensor shift, Tensor k, Tensor wide) {
  int64_t rows = x.size(0), channels = x.size(1);
  Tensor out = torch::empty_like(x);
  const float* pk = k.data_ptr<float>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t* px = x.data_ptr<scalar_t>();
    scalar_t* py = out.data_ptr<scalar_t>();
    for (int64_t start = 0; start < rows; start += BLOCK)
      for (int64_t c = 0; c < channels; c += LANES) {
        F s = load(shift.data_ptr<float>() + c), w = load(wide.data_ptr<float>() + c);
        F k0 = load(pk + c), k1 = load(pk + channels + c), k2 = load(pk + 2 * channels + c);
        for (int64_t i = start; i < std::min(rows, start + BLOCK); i++) {
          F d = held(load(px + i * channels + c) - s, w);
          store(py + i * channels + c, (k2 * d + k1) * d + k0);
        }
      }
  });
  return out;
}

// [3, channels]: sums of g, g d, g d^2.
Tensor reduce(Tensor x, Tensor shift, Tensor g, Tensor wide) {
  int64_t rows = x.size(0), channels = x.size(1);
  Tensor out = torch::zeros({3, channels}, torch::kFloat64);
  double* sums = out.data_ptr<double>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t *px = x.data_ptr<scalar_t>(), *pg = g.data_ptr<scalar_t>();
    for (int64_t start = 0; start < rows; start += BLOCK)
      for (int64_t c = 0; c < channels; c += LANES) {
        F s = load(shift.data_ptr<float>() + c), w = load(wide.data_ptr<float>() + c);
        F a[3] = {};
        for (int64_t i = start; i < std::min(rows, start + BLOCK); i++) {
          F d = held(load(px + i * channels + c) - s, w), v = load(pg + i * channels + c);
          a[0] += v; a[1] += v * d; a[2] += v * d * d;
        }
        for (int k = 0; k < 3; k++)
          for (int j = 0; j < LANES; j++) sums[k * channels + c + j] += a[k][j];
      }
  });
  return out.to(torch::kFloat32);
}

// Gradient of x: g (k1 + 2 k2 d) + m0 + m1 d + m2 d^2 + m3 d^3 within [-wide, wide], + e beyond(d, reach);
// k [3, channels], m [4, channels], e [channels].
Tensor combine(Tensor x, Tensor shift, Tensor g, Tensor k, Tensor m, Tensor reach, Tensor e, Tensor wide) {
  int64_t rows = x.size(0), channels = x.size(1);
  Tensor out = torch::empty_like(x);
  const float *pk = k.data_ptr<float>(), *pm = m.data_ptr<float>();
  dispatch(x, [&](auto* tag) {
    using scalar_t = std::remove_pointer_t<decltype(tag)>;
    const scalar_t *px = x.data_ptr<scalar_t>(), *pg = g.data_ptr<scalar_t>();
    scalar_t* py = out.data_ptr<scalar_t>();
    for (int64_t start = 0; start < rows; start += BLOCK)
      for (int64_t c = 0; c < channels; c += LANES) {
        F s = load(shift.data_ptr<float>() + c), r = load(reach.data_ptr<float>() + c);
        F w = load(wide.data_ptr<float>() + c), zero = {};
        F k1 = load(pk + channels + c), k2 = 2.0f * load(pk + 2 * channels + c);
        F m0 = load(pm + c), m1 = load(pm + channels + c), m2 = load(pm + 2 * channels + c);
        F m3 = load(pm + 3 * channels + c), pe = load(e.data_ptr<float>() + c);
        for (int64_t i = start; i < std::min(rows, start + BLOCK); i++) {
          F d = load(px + i * channels + c) - s, v = load(pg + i * channels + c);
          F grad = v * (k1 + k2 * d) + ((m3 * d + m2) * d + m1) * d + m0;
          grad = beyond(d, w) == zero ? grad : zero;
          store(py + i * channels + c, grad + pe * beyond(d, r));
        }
      }
  });
  return out;
}

// Statistics [3, channels] (mean and variance of d, variance of z^2) from the means of d ... d^4, and the
// activation's coefficients k [3, channels] from statistics and weights: activation.py's `statistics` and
// `coefficients`, whose many operations on vectors this short would cost as much as a kernel above.
constexpr double EPSILON = 1e-3, SMALLEST_SPREAD = 0.1;

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
// chain rule through `coefficients` and `statistics`.
std::vector<Tensor> chain(Tensor moments, Tensor stats, Tensor weights, Tensor gradient, bool fixed) {
  int64_t n = stats.size(1);
  Tensor g_weights = torch::empty({3, n}), g_moments = torch::zeros({4, n});
  const float *m = moments.data_ptr<float>(), *s = stats.data_ptr<float>(), *w = weights.data_ptr<float>();
  const float* g = gradient.data_ptr<float>();
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
    double g_m1 = -g_shift * scale, g_r = -g_scale * scale / (2 * r);
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
