// What tests of memory need from libtorch and Python cannot reach. Plain C symbols, used through ctypes by shim.py.
//
// 1. A CUDA device in name only: FakeTensors on "cuda" go through autograd and take CUDA's choices. No kernel ever runs.
// 2. A log of the real CPU allocator: every allocation and free of a step that runs without any mode or hook.
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/transformers/attention.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace {

// ---------------------------------------------------------------- the device in name only
bool present = false;

struct Guard final : public c10::impl::DeviceGuardImplInterface {
  static c10::Device device() { return c10::Device(c10::DeviceType::CUDA, 0); }
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, device()); }
  c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
  c10::Device exchangeDevice(c10::Device) const override { return device(); }
  c10::Device getDevice() const override { return device(); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const noexcept override { return stream(); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
  c10::Stream getNewStream(c10::Device, int) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return stream(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};

struct Hooks final : public at::CUDAHooksInterface {
  void init() const override {}
  bool hasCUDA() const override { return present; }
  bool isBuilt() const override { return present; }
  bool isAvailable() const override { return present; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return present ? 1 : 0; }
  c10::DeviceIndex current_device() const override { return 0; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  int getNumGPUs() const override { return present ? 1 : 0; }
  bool hasCuDNN() const override { return present; }
  bool compiledWithCuDNN() const override { return present; }
  long versionCuDNN() const override { return 91002; }
  long versionRuntimeCuDNN() const override { return 91002; }
  double batchnormMinEpsilonCuDNN() const override { return 1e-5; }
  bool supportsDilatedConvolutionWithCuDNN() const override { return true; }
  bool supportsDepthwiseConvolutionWithCuDNN() const override { return true; }
  bool supportsBFloat16ConvolutionWithCuDNNv8() const override { return true; }
  void deviceSynchronize(c10::DeviceIndex) const override {}
};

// sdp_utils.cpp reduced to what decides memory on an sm80+ device, without Hopper's preference for cuDNN: flash for half
// types without a mask, else memory-efficient, else math.
enum Choice : int64_t { kMath = 0, kFlash = 1, kEfficient = 2 };

int64_t attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::optional<at::Tensor>& mask,
                  double, bool causal, std::optional<double>, bool grouped) {
  const auto& context = at::globalContext();
  if (q.dim() != 4 || k.dim() != 4 || v.dim() != 4) return kMath;
  if (q.stride(-1) != 1 || k.stride(-1) != 1 || v.stride(-1) != 1) return kMath;
  const bool masked = mask.has_value() && mask->defined();
  const bool half = q.scalar_type() == at::kHalf || q.scalar_type() == at::kBFloat16;
  const bool heads = grouped ? q.size(1) % k.size(1) == 0 : q.size(1) == k.size(1);
  if (context.userEnabledFlashSDP() && half && !masked && q.size(-1) <= 256 && q.size(-1) == v.size(-1) &&
      !(causal && q.size(-2) != k.size(-2)) && heads)
    return kFlash;
  const int64_t align = half ? 8 : 4;
  const bool efficient = context.userEnabledMemEfficientSDP() && !grouped && (half || q.scalar_type() == at::kFloat) &&
      q.size(-1) % align == 0 && v.size(-1) % align == 0 && q.size(1) == k.size(1);
  return efficient ? kEfficient : kMath;
}

// ---------------------------------------------------------------- the log of the CPU allocator
struct Log final : public c10::Allocator {
  c10::Allocator* inner = nullptr;
  std::mutex lock;
  bool on = false;
  int64_t made = 0;
  std::unordered_map<void*, std::pair<int64_t, int64_t>> live;  // address -> (number, bytes)
  std::vector<int64_t> events;  // pairs: number of the block, +bytes or -bytes

  static Log& get() {
    static Log* log = new Log();
    return *log;
  }

  static void release(void* address) {
    if (!address) return;
    auto& log = get();
    {
      std::lock_guard<std::mutex> guard(log.lock);
      auto found = log.live.find(address);
      if (found != log.live.end()) {
        if (log.on) log.events.insert(log.events.end(), {found->second.first, -found->second.second});
        log.live.erase(found);
      }
    }
    log.inner->raw_deleter()(address);
  }

  c10::DataPtr allocate(size_t bytes) override {
    void* address = inner->raw_allocate(bytes);
    if (address) {
      std::lock_guard<std::mutex> guard(lock);
      live[address] = {made, static_cast<int64_t>(bytes)};
      if (on) events.insert(events.end(), {made, static_cast<int64_t>(bytes)});
      made++;
    }
    return {address, address, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

}  // namespace

extern "C" {

// Says that there is a CUDA device, or no longer. libtorch made its hooks when it was imported: they are turned into ours
// by exchanging the table of virtual functions (neither class has a field).
void shim_device(int on) {
  static const Hooks ours;
  static bool taken = false;
  if (!taken) {
    std::memcpy(const_cast<at::CUDAHooksInterface*>(&at::detail::getCUDAHooks()), &ours, sizeof(void*));
    c10::impl::registerDeviceGuard(c10::DeviceType::CUDA, new Guard());
    at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&attention);
    taken = true;
  }
  present = on != 0;
}

void shim_log(int on) {
  auto& log = Log::get();
  if (!log.inner) {
    log.inner = c10::GetCPUAllocator();
    c10::SetCPUAllocator(&log, 100);
  }
  std::lock_guard<std::mutex> guard(log.lock);
  if (on) log.events.clear();
  log.on = on != 0;
}

int64_t shim_log_length() { return static_cast<int64_t>(Log::get().events.size() / 2); }

void shim_log_read(int64_t* to) {
  auto& log = Log::get();
  std::lock_guard<std::mutex> guard(log.lock);
  std::memcpy(to, log.events.data(), log.events.size() * sizeof(int64_t));
}

}  // extern "C"
