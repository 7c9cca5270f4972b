// Convolutions of networks/convolution.py: products of bfloat16 tiles with float32 sums (AMX).
//
// Tensors are [batch, height, width, channels]. `pack` copies a group of images into a zero-padded buffer in which the
// pixels of one output row of all images of the group lie side by side, 32 or a multiple of them:
//
//     flat(y, x, image) = ((y * split + x % split) * columns + x / split) * group + image
//
// so that a tap of the kernel is one offset, whatever the stride: output row y of tap (ky, kx) begins at
// flat(y * stride + ky, kx, 0), and stride = split. Forward: 16 pixels times 32 (tap, channel) pairs. Gradient of the
// input: the same with the gradient as input, dilated by the stride, and the kernel turned. Gradient of the weights:
// 16 channels times 32 pixels, from the transposed buffer. One thread: training runs one process a core.

#include <algorithm>
#include <cstring>
#include <immintrin.h>
#include <memory>
#include <sys/syscall.h>
#include <torch/extension.h>
#include <unistd.h>
#include <vector>

using torch::Tensor;
typedef uint16_t Bits;  // of a bfloat16
constexpr int64_t TILE = 16, DEPTH = 32;

// Asks Linux for the use of tile registers; false where processor or kernel have none.
bool available() {
  static const bool granted = [] {
    constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;
    return __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("avx512bf16") &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
  }();
  return granted;
}

struct Tiles {  // all eight registers as 16 rows of 64 bytes
  Tiles() {
    alignas(64) struct { uint8_t palette = 1, start = 0, reserved[14] = {}; uint16_t bytes[16] = {}; uint8_t rows[16] = {}; } config;
    for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = 16;
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
};

template <class T> struct Buffer {  // aligned, zeroed
  std::unique_ptr<T, decltype(&std::free)> memory;
  explicit Buffer(int64_t count) : memory(nullptr, &std::free) {
    int64_t bytes = (count * sizeof(T) + 255) / 64 * 64;  // tiles of narrow pixels read past the last one
    memory.reset((T*)std::aligned_alloc(64, bytes));
    TORCH_CHECK(memory, "no memory for ", bytes, " bytes");
    std::memset(memory.get(), 0, bytes);
  }
  T* operator+(int64_t i) const { return memory.get() + i; }
};

static Bits rounded(float value) {
  return _mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(value)), 0);
}

struct Packing {
  // Of the tensor that is packed, and of the rows that are computed from it.
  int64_t images, height, width, channels, out_height, out_width;
  int64_t kernel, pad, split, dilation;
  int64_t padded;  // channels in the buffer
  int64_t group = std::max<int64_t>(1, 2 * TILE / out_width);  // a power of two
  int64_t columns = ((out_width - 1) * split + kernel + split - 1) / split;
  int64_t rows = (out_height - 1) * split + kernel;

  int64_t flat(int64_t y, int64_t x) const { return ((y * split + x % split) * columns + x / split) * group; }
  int64_t size() const { return rows * split * columns * group; }
  int64_t groups() const { return (images + group - 1) / group; }
  int64_t row() const { return out_width * group; }
};

// Images `first` ... of `source`; those after the last one are zero.
template <class scalar_t> static void pack(const Packing& p, const scalar_t* source, int64_t first, Bits* target) {
  std::vector<int64_t> at;
  for (int64_t x = 0; x < p.width && x * p.dilation + p.pad < p.columns * p.split; x++)
    at.push_back(p.flat(0, x * p.dilation + p.pad) * p.padded);
  int64_t width = at.size();
  for (int64_t i = 0; i < p.group; i++)
    for (int64_t y = 0; y < p.height && y * p.dilation + p.pad < p.rows; y++) {
      const scalar_t* from = source + ((first + i) * p.height + y) * p.width * p.channels;
      Bits* row = target + (p.flat(y * p.dilation + p.pad, 0) + i) * p.padded;
      if (first + i >= p.images)
        for (int64_t x = 0; x < width; x++) std::memset(row + at[x], 0, p.channels * 2);
      else if constexpr (std::is_same_v<scalar_t, float>)
        for (int64_t x = 0; x < width; x++, from += p.channels)
          for (int64_t c = 0; c < p.channels; c++) row[at[x] + c] = rounded(from[c]);
      else if (p.channels == p.padded && p.group == 1 && p.split == 1 && p.dilation == 1)
        std::memcpy(row + at[0], from, width * p.channels * 2);
      else if (p.channels == TILE)
        for (int64_t x = 0; x < width; x++, from += TILE) _mm256_storeu_si256((__m256i*)(row + at[x]), _mm256_loadu_si256((const __m256i*)from));
      else if (p.channels % DEPTH == 0)
        for (int64_t x = 0; x < width; x++)
          for (int64_t c = 0; c < p.channels; c += DEPTH, from += DEPTH) _mm512_storeu_si512(row + at[x] + c, _mm512_loadu_si512(from));
      else
        for (int64_t x = 0; x < width; x++, from += p.channels) std::memcpy(row + at[x], from, p.channels * 2);
    }
}

// Where the pixels of one packed row lie in a tensor [batch, height, width, channels], from the group's first image on.
static std::vector<int64_t> spread(const Packing& p, int64_t channels) {
  std::vector<int64_t> at;
  for (int64_t q = 0; q < p.row(); q++) at.push_back((q % p.group * p.out_height * p.out_width + q / p.group) * channels);
  return at;
}

// One step of the sum over (tap, channel): where its pixels lie, relative to the output row.
struct Step { int64_t offset, ky, kx, channel, taps; };

static std::vector<Step> steps(const Packing& p) {
  std::vector<Step> found;
  // Neighbouring pixels of few channels fill one row of a tile.
  int64_t taps = p.padded < DEPTH && p.group == 1 && p.split == 1 ? DEPTH / p.padded : 1;
  for (int64_t ky = 0; ky < p.kernel; ky++)
    for (int64_t kx = 0; kx < p.kernel; kx += taps)
      for (int64_t c = 0; c < p.padded; c += DEPTH) found.push_back({p.flat(ky, kx) * p.padded + c, ky, kx, c, taps});
  return found;
}

// Tiles [step][outputs / 16] of 16 x (16 outputs x 2): pairs of the sum's terms side by side.
template <class Weight> static Buffer<Bits> arranged(const Packing& p, const std::vector<Step>& all, int64_t outputs, Weight weight) {
  int64_t count = outputs / TILE;
  Buffer<Bits> out(all.size() * count * 512);
  for (size_t s = 0; s < all.size(); s++)
    for (int64_t k = 0; k < DEPTH; k++) {
      int64_t tap = p.padded < DEPTH ? k / p.padded : 0, channel = all[s].channel + k - tap * p.padded;
      if (tap >= all[s].taps || all[s].kx + tap >= p.kernel || channel >= p.channels) continue;
      for (int64_t o = 0; o < outputs; o++)
        *(out + ((s * count + o / TILE) * 512 + k / 2 * 32 + o % TILE * 2 + k % 2)) = rounded(weight(o, channel, all[s].ky, all[s].kx + tap));
    }
  return out;
}

// Tiles 0 ... M N - 1 hold M x N sums of 16 pixels by 16 outputs.
template <int M, int N> static inline void multiply(const Bits* const* pixels, const Step* all, size_t count, int64_t stride, const Bits* weights, int64_t step) {
  _tile_zero(0); _tile_zero(1);
  if constexpr (M * N == 4) { _tile_zero(2); _tile_zero(3); }
  for (size_t s = 0; s < count; s++, weights += step) {
    int64_t o = all[s].offset;
    if constexpr (N == 2) {
      _tile_loadd(6, weights, 64); _tile_loadd(7, weights + 512, 64);
      _tile_loadd(4, pixels[0] + o, stride); _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, pixels[1] + o, stride); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    } else {
      _tile_loadd(7, weights, 64);
      _tile_loadd(4, pixels[0] + o, stride); _tile_dpbf16ps(0, 4, 7);
      _tile_loadd(5, pixels[1] + o, stride); _tile_dpbf16ps(1, 5, 7);
      if constexpr (M == 4) {
        _tile_loadd(6, pixels[2] + o, stride); _tile_dpbf16ps(2, 6, 7);
        _tile_loadd(4, pixels[3] + o, stride); _tile_dpbf16ps(3, 4, 7);
      }
    }
  }
}

static inline __m512 widened(const at::BFloat16* p) {
  return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16);
}

// Convolution of `source` as packed, plus `added` (of the output's shape) if there is one.
template <class scalar_t, class Weight> static void convolve(const Packing& p, const scalar_t* source, int64_t outputs, Weight weight, const at::BFloat16* added, at::BFloat16* out) {
  auto all = steps(p);
  auto weights = arranged(p, all, outputs, weight);
  Buffer<Bits> packed(p.size() * p.padded);
  alignas(64) float sums[4][TILE][TILE];
  int64_t tiles = outputs / TILE, per_row = p.row() / TILE, total = p.out_height * per_row;
  auto at = spread(p, outputs);
  Tiles registers;
  for (int64_t g = 0; g < p.groups(); g++) {
    int64_t present = std::min(p.group, p.images - g * p.group), first = g * p.group * p.out_height;
    pack(p, source, g * p.group, packed + 0);
    auto begin = [&](int64_t t) { return packed + (p.flat(t / per_row * p.split, 0) + t % per_row * TILE) * p.padded; };
    for (int64_t n = 0; n < tiles; n += 2)
      for (int64_t t = 0; t < total;) {
        const Bits* from = weights + n * 512;
        int64_t wide = std::min<int64_t>(2, tiles - n), deep = wide == 1 && total - t >= 4 ? 4 : 2;
        const Bits* pixels[4];
        for (int64_t i = 0; i < deep; i++) pixels[i] = begin(t + i);
        if (wide == 2) multiply<2, 2>(pixels, all.data(), all.size(), p.padded * 2, from, tiles * 512);
        else if (deep == 4) multiply<4, 1>(pixels, all.data(), all.size(), p.padded * 2, from, tiles * 512);
        else multiply<2, 1>(pixels, all.data(), all.size(), p.padded * 2, from, tiles * 512);
        _tile_stored(0, sums[0], 64); _tile_stored(1, sums[1], 64);
        if (wide * deep == 4) { _tile_stored(2, sums[2], 64); _tile_stored(3, sums[3], 64); }
        for (int64_t i = 0; i < deep; i++, t++) {
          int64_t y = t / per_row, q = t % per_row * TILE;
          int64_t base = (first + y) * p.out_width * outputs + n * TILE;
          for (int64_t r = 0; r < TILE; r++, q++) {
            if ((q & (p.group - 1)) >= present) continue;
            int64_t to = base + at[q];
            for (int64_t j = 0; j < wide; j++, to += TILE) {
              __m512 value = _mm512_load_ps(sums[i * wide + j][r]);
              if (added) value = _mm512_add_ps(value, widened(added + to));
              _mm256_storeu_si256((__m256i*)(out + to), (__m256i)_mm512_cvtneps_pbh(value));
            }
          }
        }
      }
  }
}

// Terms of the interleaving (a0 b0 a1 b1 ...) of two rows of 16.
static inline __m512i paired(__m256i a, __m256i b) {
  __m512i low = _mm512_cvtepu16_epi32(a), high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16);
  return _mm512_or_si512(low, high);
}

static inline void transpose(__m512i* r) {  // 16 x 16 of 32 bits
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) { t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]); t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]); }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]); r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]); r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88); t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88); t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 8; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

// [count, channels] to [channels, plane]; count a multiple of 32.
static void turn(const Bits* source, int64_t count, int64_t channels, int64_t plane, Bits* target) {
  for (int64_t q = 0; q < count; q += DEPTH)
    for (int64_t c = 0; c < channels; c += TILE) {
      __m512i r[16];
      for (int64_t j = 0; j < 16; j++) {
        const Bits* from = source + (q + 2 * j) * channels + c;
        r[j] = paired(_mm256_loadu_si256((const __m256i*)from), _mm256_loadu_si256((const __m256i*)(from + channels)));
      }
      transpose(r);
      for (int64_t j = 0; j < 16; j++) _mm512_storeu_si512(target + (c + j) * plane + q, r[j]);
    }
}

// Gradients of the weights, float32 [kernel^2][padded / 16][outputs / 16][16 x 16]; the gradient g is bfloat16.
template <class scalar_t> static Buffer<float> correlate(const Packing& p, const scalar_t* source, const Bits* g, int64_t outputs) {
  constexpr int64_t TOGETHER = 4;  // groups between two loads of the same sums
  int64_t count = (p.size() + DEPTH - 1) / DEPTH * DEPTH, plane = count + DEPTH;
  int64_t ins = p.padded / TILE, outs = outputs / TILE, taps = p.kernel * p.kernel;
  int64_t per_row = p.row() / DEPTH, depth = p.out_height * per_row;
  Buffer<Bits> packed(count * p.padded), turned(TOGETHER * p.padded * plane), pairs(TOGETHER * depth * outs * 512);
  Buffer<float> sums(taps * ins * outs * 256);
  std::vector<int64_t> starts, shifts;
  for (int64_t d = 0; d < depth; d++) starts.push_back(p.flat(d / per_row * p.split, 0) + d % per_row * DEPTH);
  for (int64_t tap = 0; tap < taps; tap++) shifts.push_back(p.flat(tap / p.kernel, tap % p.kernel));
  auto at = spread(p, outputs);
  Tiles registers;
  for (int64_t first = 0; first < p.groups(); first += TOGETHER) {
    int64_t together = std::min(TOGETHER, p.groups() - first);
    for (int64_t slot = 0; slot < together; slot++) {
      int64_t image = (first + slot) * p.group;
      pack(p, source, image, packed + 0);
      turn(packed + 0, count, p.padded, plane, turned + slot * p.padded * plane);
      int64_t present = std::min(p.group, p.images - image);
      for (int64_t d = 0; d < depth; d++) {
        int64_t y = d / per_row, q = d % per_row * DEPTH;
        const Bits* row = g + (image * p.out_height + y) * p.out_width * outputs;
        for (int64_t j = 0; j < TILE; j++, q += 2) {
          bool has = (q & (p.group - 1)) < present, also = (q + 1 & (p.group - 1)) < present;
          const Bits *a = row + at[q], *b = row + at[q + 1];
          Bits* to = pairs + ((slot * depth + d) * outs * 512 + j * 32);
          for (int64_t n = 0; n < outs; n++, to += 512, a += TILE, b += TILE) {
            __m256i even = has ? _mm256_loadu_si256((const __m256i*)a) : _mm256_setzero_si256();
            __m256i odd = also ? _mm256_loadu_si256((const __m256i*)b) : _mm256_setzero_si256();
            _mm512_store_si512(to, paired(even, odd));
          }
        }
      }
    }
    auto begin = [&](int64_t b, int64_t d, int64_t m, int64_t tap) {
      return turned + ((b * p.padded + m * TILE) * plane + starts[d] + shifts[tap]);
    };
    auto terms = [&](int64_t b, int64_t d, int64_t n) { return pairs + ((b * depth + d) * outs + n) * 512; };
    auto sum = [&](int64_t tap, int64_t m, int64_t n) { return sums + ((tap * ins + m) * outs + n) * 256; };
    int64_t stride = plane * 2;
    if (ins % 2 == 0 && outs % 2 == 0) {
      for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t m = 0; m < ins; m += 2)
          for (int64_t n = 0; n < outs; n += 2) {
            _tile_loadd(0, sum(tap, m, n), 64); _tile_loadd(1, sum(tap, m, n + 1), 64);
            _tile_loadd(2, sum(tap, m + 1, n), 64); _tile_loadd(3, sum(tap, m + 1, n + 1), 64);
            for (int64_t b = 0; b < together; b++)
              for (int64_t d = 0; d < depth; d++) {
                const Bits* a = begin(b, d, m, tap);
                _tile_loadd(6, terms(b, d, n), 64); _tile_loadd(7, terms(b, d, n + 1), 64);
                _tile_loadd(4, a, stride); _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, a + TILE * plane, stride); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
              }
            _tile_stored(0, sum(tap, m, n), 64); _tile_stored(1, sum(tap, m, n + 1), 64);
            _tile_stored(2, sum(tap, m + 1, n), 64); _tile_stored(3, sum(tap, m + 1, n + 1), 64);
          }
    } else if (p.kernel == 3) {
      for (int64_t tap = 0; tap < taps; tap += 3)
        for (int64_t m = 0; m < ins; m++)
          for (int64_t n = 0; n < outs; n++) {
            _tile_loadd(0, sum(tap, m, n), 64); _tile_loadd(1, sum(tap + 1, m, n), 64); _tile_loadd(2, sum(tap + 2, m, n), 64);
            for (int64_t b = 0; b < together; b++)
              for (int64_t d = 0; d < depth; d++) {
                _tile_loadd(7, terms(b, d, n), 64);
                _tile_loadd(4, begin(b, d, m, tap), stride); _tile_dpbf16ps(0, 4, 7);
                _tile_loadd(5, begin(b, d, m, tap + 1), stride); _tile_dpbf16ps(1, 5, 7);
                _tile_loadd(6, begin(b, d, m, tap + 2), stride); _tile_dpbf16ps(2, 6, 7);
              }
            _tile_stored(0, sum(tap, m, n), 64); _tile_stored(1, sum(tap + 1, m, n), 64); _tile_stored(2, sum(tap + 2, m, n), 64);
          }
    } else {
      for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t m = 0; m < ins; m++)
          for (int64_t n = 0; n < outs; n++) {
            _tile_loadd(0, sum(tap, m, n), 64);
            for (int64_t b = 0; b < together; b++)
              for (int64_t d = 0; d < depth; d++) {
                _tile_loadd(7, terms(b, d, n), 64);
                _tile_loadd(4, begin(b, d, m, tap), stride); _tile_dpbf16ps(0, 4, 7);
              }
            _tile_stored(0, sum(tap, m, n), 64);
          }
    }
  }
  return sums;
}

template <class Body> static void dispatch(const Tensor& x, Body body) {
  if (x.scalar_type() == at::kBFloat16) return body((const at::BFloat16*)x.data_ptr());
  TORCH_CHECK(x.scalar_type() == at::kFloat, "needs float32 or bfloat16");
  body((const float*)x.data_ptr());
}

static int64_t buffer_channels(int64_t channels, int64_t least) {
  for (int64_t size = least; size < DEPTH; size *= 2)
    if (channels <= size) return size;
  return (channels + DEPTH - 1) / DEPTH * DEPTH;
}

// [batch, height, width, in] and weight [out, in, kernel, kernel] to bfloat16 [batch, height', width', out].
Tensor forward(Tensor x, Tensor weight, int64_t stride, int64_t pad) {
  int64_t kernel = weight.size(2), outputs = weight.size(0);
  int64_t h = (x.size(1) + 2 * pad - kernel) / stride + 1, w = (x.size(2) + 2 * pad - kernel) / stride + 1;
  Tensor out = torch::empty({x.size(0), h, w, outputs}, torch::kBFloat16);
  Packing p{x.size(0), x.size(1), x.size(2), x.size(3), h, w, kernel, pad, stride, 1, buffer_channels(x.size(3), 8)};
  auto entries = weight.accessor<float, 4>();
  dispatch(x, [&](auto* source) {
    convolve(p, source, outputs, [&](int64_t o, int64_t c, int64_t ky, int64_t kx) { return entries[o][c][ky][kx]; }, nullptr, out.data_ptr<at::BFloat16>());
  });
  return out;
}

// Gradient of x [batch, height, width, in] from that of the output, plus `added` of x's shape if it is not empty.
Tensor backward_input(Tensor g, Tensor weight, int64_t height, int64_t width, int64_t stride, int64_t pad, std::optional<Tensor> added) {
  int64_t kernel = weight.size(2), inputs = weight.size(1);
  Tensor out = torch::empty({g.size(0), height, width, inputs}, torch::kBFloat16);
  Packing p{g.size(0), g.size(1), g.size(2), g.size(3), height, width, kernel, kernel - 1 - pad, 1, stride, buffer_channels(g.size(3), 16)};
  auto entries = weight.accessor<float, 4>();
  convolve(p, g.data_ptr<at::BFloat16>(), inputs,
           [&](int64_t o, int64_t c, int64_t ky, int64_t kx) { return entries[c][o][kernel - 1 - ky][kernel - 1 - kx]; },
           added ? added->data_ptr<at::BFloat16>() : nullptr, out.data_ptr<at::BFloat16>());
  return out;
}

// Gradient of the weight, of its shape and strides.
Tensor backward_weight(Tensor x, Tensor g, Tensor weight, int64_t stride, int64_t pad) {
  int64_t kernel = weight.size(2), inputs = x.size(3), outputs = g.size(3);
  Packing p{x.size(0), x.size(1), x.size(2), inputs, g.size(1), g.size(2), kernel, pad, stride, 1, buffer_channels(inputs, 16)};
  Tensor out = torch::empty_like(weight);
  auto entries = out.accessor<float, 4>();
  dispatch(x, [&](auto* source) {
    auto sums = correlate(p, source, (const Bits*)g.data_ptr(), outputs);
    for (int64_t tap = 0; tap < kernel * kernel; tap++)
      for (int64_t c = 0; c < inputs; c++)
        for (int64_t o = 0; o < outputs; o++)
          entries[o][c][tap / kernel][tap % kernel] =
              *(sums + ((tap * (p.padded / TILE) + c / TILE) * (outputs / TILE) + o / TILE) * 256 + c % TILE * TILE + o % TILE);
  });
  return out;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("available", &available);
  module.def("forward", &forward);
  module.def("backward_input", &backward_input);
  module.def("backward_weight", &backward_weight);
}
