// Triton's backend `onnxruntime` on OpenVINO, inside the server: runs a network's `model.onnx` on the CPU.
//
// Built by native_backend.py. openvino_backend.py is the same in Python, for machines without a compiler.
//
// The batch is fixed to one row. With a dynamic batch OpenVINO infers all shapes at each call, which takes a fifth of
// `lite`'s time. A small network is compiled twice: for a lone row on all cores, which answers it soonest, and for
// many rows at a time on streams of fewer cores each, which compute more rows a second. The server's call returns as
// soon as a stream is free, so that rows that come later need not wait for all that came before.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "triton_backend_api.h"

namespace {

// More streams than this would leave cores idle when there are few rows, and each costs memory.
constexpr size_t kMostStreams = 4;
// Larger networks keep all cores busy with one row, and a second compilation takes as much memory as the first.
constexpr uintmax_t kSmallNetworkBytes = 20'000'000;

// What a caller is told. Other exceptions are OpenVINO's.
struct Failure : std::runtime_error {
  Failure(TRITONSERVER_Error_Code code, const std::string& text) : std::runtime_error(text), code(code) {}
  TRITONSERVER_Error_Code code;
};

void check(TRITONSERVER_Error* error) {
  if (error == nullptr) return;
  const Failure failure(TRITONSERVER_ErrorCode(error), TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
  throw failure;
}

// For calls whose failure nobody can be told but the log.
void log_failure(TRITONSERVER_Error* error) {
  if (error == nullptr) return;
  TRITONSERVER_ErrorDelete(TRITONSERVER_LogMessage(
      TRITONSERVER_LOG_ERROR, __FILE__, __LINE__, TRITONSERVER_ErrorMessage(error)));
  TRITONSERVER_ErrorDelete(error);
}

Failure failure_of(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::exception& error) {
    return {TRITONSERVER_ERROR_INTERNAL, std::string("OpenVINO: ") + error.what()};
  } catch (...) {
    return {TRITONSERVER_ERROR_INTERNAL, "OpenVINO: unknown error"};
  }
}

TRITONSERVER_Error* triton_error(const Failure& failure) { return TRITONSERVER_ErrorNew(failure.code, failure.what()); }

// Runs the body of a function that the server calls: no exception may reach it.
template <typename Body>
TRITONSERVER_Error* guarded(Body body) noexcept {
  try {
    body();
    return nullptr;
  } catch (...) {
    return triton_error(failure_of(std::current_exception()));
  }
}

uint64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TRITONSERVER_DataType triton_type(ov::element::Type type) {
  switch (type) {
    case ov::element::Type_t::f32: return TRITONSERVER_TYPE_FP32;
    case ov::element::Type_t::f16: return TRITONSERVER_TYPE_FP16;
    case ov::element::Type_t::u8: return TRITONSERVER_TYPE_UINT8;
    case ov::element::Type_t::i8: return TRITONSERVER_TYPE_INT8;
    case ov::element::Type_t::i32: return TRITONSERVER_TYPE_INT32;
    case ov::element::Type_t::i64: return TRITONSERVER_TYPE_INT64;
    case ov::element::Type_t::boolean: return TRITONSERVER_TYPE_BOOL;
    default: throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "OpenVINO: no " + type.to_string() + " is served");
  }
}

// bf16 where the CPU computes in it (AMX, AVX512-BF16), unless DEEPHAR_PRECISION says otherwise.
ov::element::Type precision(ov::Core& core) {
  const char* setting = std::getenv("DEEPHAR_PRECISION");
  const std::string wanted = setting ? setting : "auto";
  if (wanted == "bf16") return ov::element::bf16;
  if (wanted == "fp32") return ov::element::f32;
  if (wanted != "auto") throw Failure(TRITONSERVER_ERROR_INVALID_ARG, "DEEPHAR_PRECISION=" + wanted + " is unknown");
  const auto able = core.get_property("CPU", ov::device::capabilities);
  const bool has_bf16 = std::find(able.begin(), able.end(), ov::device::capability::BF16) != able.end();
  return has_bf16 ? ov::element::bf16 : ov::element::f32;
}

// An input or output of a network. Its first dimension is the rows of a batch, the others are fixed.
struct Port {
  explicit Port(const ov::Output<const ov::Node>& port)
      : name(port.get_any_name()), type(port.get_element_type()), triton(triton_type(type)) {
    auto partial = port.get_partial_shape();
    if (partial.size() > 0) partial[0] = 1;
    if (partial.size() == 0 || partial.is_dynamic()) {
      throw Failure(
          TRITONSERVER_ERROR_UNSUPPORTED, "OpenVINO: " + name + port.get_partial_shape().to_string() +
                                              " must be fixed but for its rows; DEEPHAR_BACKEND=python serves others");
    }
    row = partial.to_shape();
    row.erase(row.begin());
  }

  std::string name;
  ov::element::Type type;
  TRITONSERVER_DataType triton;
  ov::Shape row;

  // As in the model's configuration.
  std::string configured() const {
    std::string text = name + " " + TRITONSERVER_DataTypeString(triton) + " [";
    for (size_t i = 0; i < row.size(); ++i) text += (i ? "," : "") + std::to_string(row[i]);
    return text + "]";
  }
  size_t row_bytes() const { return type.size() * ov::shape_size(row); }
  ov::Shape shape(size_t rows) const {
    ov::Shape whole{rows};
    whole.insert(whole.end(), row.begin(), row.end());
    return whole;
  }
  ov::Tensor tensor(size_t rows) const { return {type, shape(rows)}; }
  ov::Tensor tensor(size_t rows, void* data) const { return {type, shape(rows), data}; }
};

// A request of the server with its response, whose buffers exist before the network runs.
struct Request {
  struct Answer {
    size_t output;
    char* buffer;
  };
  TRITONBACKEND_Request* request;
  TRITONBACKEND_Response* response = nullptr;
  std::vector<TRITONBACKEND_Input*> inputs{};
  std::vector<Answer> answers{};
  size_t rows = 0;

  void end(const Failure* failure) const {
    TRITONSERVER_Error* error = failure ? triton_error(*failure) : nullptr;
    if (response != nullptr) {
      log_failure(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error));
    } else {  // it could not be made; the caller waits until its deadline
      log_failure(error);
    }
    log_failure(TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL));
  }
};

// The requests of one call of the server: their rows are computed one by one, several at a time.
struct Batch {
  TRITONBACKEND_ModelInstance* instance;
  std::vector<Request> requests;
  size_t rows = 0;
  std::vector<ov::Tensor> inputs, outputs;  // of all rows
  uint64_t started_ns = now_ns(), computing_ns = 0;
  std::atomic<size_t> rows_left{0};
  std::mutex mutex;
  std::exception_ptr error;  // the first of its rows

  void end_all() noexcept;
};

void Batch::end_all() noexcept {
  const uint64_t computed_ns = now_ns();
  if (requests.size() > 1 && !error) {
    size_t first = 0;
    for (const Request& request : requests) {
      for (const auto& [output, buffer] : request.answers) {
        const size_t row_bytes = outputs[output].get_byte_size() / rows;
        const char* data = static_cast<const char*>(outputs[output].data());
        std::memcpy(buffer, data + first * row_bytes, request.rows * row_bytes);
      }
      first += request.rows;
    }
  }
  // All statistics first: a request that is released may take its network's last reference with it.
  const uint64_t ended_ns = now_ns();
  for (const Request& request : requests) {
    log_failure(TRITONBACKEND_ModelInstanceReportStatistics(
        instance, request.request, !error, started_ns, computing_ns, computed_ns, ended_ns));
  }
  if (!error) {
    log_failure(TRITONBACKEND_ModelInstanceReportBatchStatistics(
        instance, rows, started_ns, computing_ns, computed_ns, ended_ns));
  }
  std::optional<Failure> failure;
  if (error) failure = failure_of(error);
  for (const Request& request : requests) request.end(failure ? &*failure : nullptr);
}

class Network {
 public:
  Network(ov::Core& core, const std::string& path);
  ~Network();
  Network(const Network&) = delete;

  void check_configuration(const std::string& json) const;
  void execute(TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests, uint32_t count) noexcept;

 private:
  // Computes one row of a batch at a time.
  struct Runner {
    ov::InferRequest infer;
    std::shared_ptr<Batch> batch;
  };

  void warm_up();
  void admit(Request& request) const;
  void admit_outputs(Request& request) const;
  void gather(Batch& batch) const;
  void dispatch(const std::shared_ptr<Batch>& batch);
  void start(Runner& runner, const std::shared_ptr<Batch>& batch, size_t row);
  void finished(Runner& runner, std::exception_ptr error) noexcept;

  // Rows in work of all networks: they share the cores.
  static std::atomic<size_t> all_in_work_;

  const size_t streams_;
  std::vector<Port> inputs_, outputs_;
  ov::CompiledModel on_all_cores_, on_streams_;
  Runner lone_;
  std::vector<Runner> runners_;
  std::vector<Runner*> idle_;
  size_t in_work_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

std::atomic<size_t> Network::all_in_work_{0};

Network::Network(ov::Core& core, const std::string& path)
    : streams_(
          std::filesystem::file_size(path) > kSmallNetworkBytes
              ? 1
              : std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMostStreams)),
      // One computes and one waits for each stream, so that no stream waits for its next row.
      runners_(2 * streams_) {
  const auto model = core.read_model(path);
  std::map<ov::Output<ov::Node>, ov::PartialShape> one_row;
  for (const auto& input : model->inputs()) {
    one_row[input] = input.get_partial_shape();
    if (one_row[input].rank().get_length() > 0) one_row[input][0] = 1;
  }
  model->reshape(one_row);
  // Not pinned: streams of several networks would be pinned to the same core while others are idle.
  ov::AnyMap latency{ov::hint::inference_precision(precision(core)), ov::hint::enable_cpu_pinning(false)};
  ov::AnyMap throughput = latency;
  latency.insert(ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
  throughput.insert(ov::num_streams(static_cast<int32_t>(streams_)));
  on_all_cores_ = core.compile_model(model, "CPU", latency);
  on_streams_ = streams_ > 1 ? core.compile_model(model, "CPU", throughput) : on_all_cores_;
  for (const auto& port : on_all_cores_.inputs()) inputs_.emplace_back(port);
  for (const auto& port : on_all_cores_.outputs()) outputs_.emplace_back(port);
  lone_.infer = on_all_cores_.create_infer_request();
  for (Runner& runner : runners_) {
    runner.infer = on_streams_.create_infer_request();
    idle_.push_back(&runner);
  }
  warm_up();
}

// Runs the first inference, which is slow, before there are callers: on every stream.
void Network::warm_up() {
  std::vector<ov::InferRequest> all{lone_.infer};
  for (const Runner& runner : runners_) all.push_back(runner.infer);
  for (auto& infer : all) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      ov::Tensor zeros = inputs_[i].tensor(1);
      std::memset(zeros.data(), 0, zeros.get_byte_size());
      infer.set_input_tensor(i, zeros);
    }
    infer.start_async();
  }
  for (auto& infer : all) infer.wait();
}

// Refuses to load a network whose configuration says otherwise: each call would fail.
void Network::check_configuration(const std::string& json) const {
  std::set<std::string> known;
  for (const Port& port : inputs_) known.insert(port.configured());
  for (const Port& port : outputs_) known.insert(port.configured());
  // A tensor's fields are in this order. Nothing else has a data type.
  const std::regex tensor(R"~("name":"([^"]*)","data_type":"TYPE_(\w+)"[^\[\]{}]*"dims":(\[[^\]]*\]))~");
  for (std::sregex_iterator found(json.begin(), json.end(), tensor), end; found != end; ++found) {
    const std::string configured = found->str(1) + " " + found->str(2) + " " + found->str(3);
    if (known.count(configured) == 0) {
      throw Failure(TRITONSERVER_ERROR_INVALID_ARG, "OpenVINO: the network does not have " + configured);
    }
  }
}

Network::~Network() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return in_work_ == 0; });
}

// Nothing may be thrown from here on: the server would take back requests that are answered already.
void Network::execute(
    TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests, uint32_t count) noexcept {
  const auto batch = std::make_shared<Batch>();
  batch->instance = instance;
  for (uint32_t i = 0; i < count; ++i) {
    Request request{requests[i]};
    try {
      admit(request);
      batch->rows += request.rows;
      batch->requests.push_back(std::move(request));
    } catch (...) {  // of this request only: the others are computed
      const Failure failure = failure_of(std::current_exception());
      log_failure(TRITONBACKEND_ModelInstanceReportStatistics(instance, request.request, false, 0, 0, 0, 0));
      request.end(&failure);
    }
  }
  if (batch->requests.empty()) return;
  batch->computing_ns = now_ns();
  try {
    gather(*batch);
  } catch (...) {
    batch->error = std::current_exception();
    batch->end_all();
    return;
  }
  dispatch(batch);
  // Meanwhile the server collects the requests of the next batch.
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return in_work_ < streams_; });
}

void Network::dispatch(const std::shared_ptr<Batch>& batch) {
  const size_t rows = batch->rows;
  batch->rows_left = rows;
  batch->computing_ns = now_ns();
  for (size_t row = 0; row < rows; ++row) {
    Runner* runner = &lone_;
    {
      std::unique_lock lock(mutex_);
      if (rows > 1 || all_in_work_ > 0) {
        changed_.wait(lock, [this] { return !idle_.empty(); });
        runner = idle_.back();
        idle_.pop_back();
      }
      ++in_work_;
      ++all_in_work_;
    }
    start(*runner, batch, row);
  }
}

// Checks a request, so that the network's memory is never left, and makes its response.
void Network::admit(Request& request) const {
  check(TRITONBACKEND_ResponseNew(&request.response, request.request));
  bool is_cancelled = false;
  check(TRITONBACKEND_RequestIsCancelled(request.request, &is_cancelled));
  if (is_cancelled) throw Failure(TRITONSERVER_ERROR_CANCELLED, "the caller left");
  for (const Port& port : inputs_) {
    TRITONBACKEND_Input* input;
    TRITONSERVER_DataType type;
    const int64_t* shape;
    uint32_t dimensions;
    uint64_t bytes;
    check(TRITONBACKEND_RequestInput(request.request, port.name.c_str(), &input));
    check(TRITONBACKEND_InputProperties(input, nullptr, &type, &shape, &dimensions, &bytes, nullptr));
    const size_t rows = dimensions > 0 && shape[0] > 0 ? shape[0] : 0;
    if (request.inputs.empty()) request.rows = rows;
    const ov::Shape asked(shape, shape + dimensions);
    if (rows == 0 || rows != request.rows || asked != port.shape(rows) || bytes != rows * port.row_bytes() ||
        type != port.triton) {
      throw Failure(
          TRITONSERVER_ERROR_INVALID_ARG, "OpenVINO: input " + port.name + " is not " + port.type.to_string() +
                                              port.shape(request.rows).to_string());
    }
    request.inputs.push_back(input);
  }
  admit_outputs(request);
}

void Network::admit_outputs(Request& request) const {
  uint32_t count;
  check(TRITONBACKEND_RequestOutputCount(request.request, &count));
  for (uint32_t i = 0; i < count; ++i) {
    const char* name;
    check(TRITONBACKEND_RequestOutputName(request.request, i, &name));
    const auto port = std::find_if(outputs_.begin(), outputs_.end(), [&](const Port& p) { return p.name == name; });
    if (port == outputs_.end()) {
      throw Failure(TRITONSERVER_ERROR_INTERNAL, std::string("OpenVINO: the network has no output ") + name);
    }
    const ov::Shape whole = port->shape(request.rows);
    const std::vector<int64_t> shape(whole.begin(), whole.end());
    TRITONBACKEND_Output* output;
    check(TRITONBACKEND_ResponseOutput(
        request.response, &output, name, port->triton, shape.data(), shape.size()));
    void* buffer;
    TRITONSERVER_MemoryType memory_type = TRITONSERVER_MEMORY_CPU;
    int64_t memory_type_id = 0;
    check(TRITONBACKEND_OutputBuffer(
        output, &buffer, request.rows * port->row_bytes(), &memory_type, &memory_type_id));
    if (memory_type == TRITONSERVER_MEMORY_GPU) throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "a GPU's memory");
    request.answers.push_back({static_cast<size_t>(port - outputs_.begin()), static_cast<char*>(buffer)});
  }
}

// Makes the tensors of all rows: of a lone request they are the server's own buffers.
void Network::gather(Batch& batch) const {
  const bool is_one = batch.requests.size() == 1;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    ov::Tensor whole;
    char* end = nullptr;
    for (const Request& request : batch.requests) {
      uint32_t buffers;
      check(TRITONBACKEND_InputProperties(
          request.inputs[i], nullptr, nullptr, nullptr, nullptr, nullptr, &buffers));
      for (uint32_t j = 0; j < buffers; ++j) {
        const void* buffer;
        uint64_t bytes;
        TRITONSERVER_MemoryType memory_type = TRITONSERVER_MEMORY_CPU;
        int64_t memory_type_id = 0;
        check(TRITONBACKEND_InputBuffer(request.inputs[i], j, &buffer, &bytes, &memory_type, &memory_type_id));
        if (memory_type == TRITONSERVER_MEMORY_GPU) throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "a GPU's memory");
        if (is_one && buffers == 1) {
          whole = inputs_[i].tensor(batch.rows, const_cast<void*>(buffer));  // inputs are only read
          break;
        }
        if (!whole) {
          whole = inputs_[i].tensor(batch.rows);
          end = static_cast<char*>(whole.data());
        }
        std::memcpy(end, buffer, bytes);
        end += bytes;
      }
    }
    batch.inputs.push_back(whole);
  }
  for (const Port& port : outputs_) batch.outputs.push_back(port.tensor(batch.rows));
  if (!is_one) return;
  for (const auto& [output, buffer] : batch.requests[0].answers) {
    batch.outputs[output] = outputs_[output].tensor(batch.rows, buffer);
  }
}

void Network::start(Runner& runner, const std::shared_ptr<Batch>& batch, size_t row) {
  runner.batch = batch;
  try {
    const auto part = [row](const Port& port, ov::Tensor& whole) {
      return port.tensor(1, static_cast<char*>(whole.data()) + row * port.row_bytes());
    };
    for (size_t i = 0; i < inputs_.size(); ++i) {
      runner.infer.set_input_tensor(i, part(inputs_[i], batch->inputs[i]));
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      runner.infer.set_output_tensor(i, part(outputs_[i], batch->outputs[i]));
    }
    // Set each time: OpenVINO takes it away while it runs, and the runner may be used again before that is over.
    runner.infer.set_callback([this, &runner](std::exception_ptr error) { finished(runner, error); });
    runner.infer.start_async();
  } catch (...) {
    finished(runner, std::current_exception());
  }
}

void Network::finished(Runner& runner, std::exception_ptr error) noexcept {
  const std::shared_ptr<Batch> batch = std::move(runner.batch);
  if (error) {
    std::lock_guard lock(batch->mutex);
    if (!batch->error) batch->error = error;
  }
  if (--batch->rows_left == 0) batch->end_all();
  std::lock_guard lock(mutex_);
  if (&runner != &lone_) idle_.push_back(&runner);
  --in_work_;
  --all_in_work_;
  changed_.notify_all();
}

ov::Core& core_of(TRITONBACKEND_Backend* backend) {
  void* core;
  check(TRITONBACKEND_BackendState(backend, &core));
  return *static_cast<ov::Core*>(core);
}

Network* network_of(TRITONBACKEND_Model* model) {
  void* network;
  check(TRITONBACKEND_ModelState(model, &network));
  return static_cast<Network*>(network);
}

std::string configuration_of(TRITONBACKEND_Model* model) {
  TRITONSERVER_Message* message;
  const char* json;
  size_t size;
  check(TRITONBACKEND_ModelConfig(model, 1, &message));
  const std::unique_ptr<TRITONSERVER_Message, decltype(&TRITONSERVER_MessageDelete)> owned(
      message, TRITONSERVER_MessageDelete);
  check(TRITONSERVER_MessageSerializeToJson(message, &json, &size));
  return {json, size};
}

}  // namespace

TRITONSERVER_Error* TRITONBACKEND_Initialize(TRITONBACKEND_Backend* backend) {
  return guarded([&] {
    uint32_t major, minor;
    check(TRITONBACKEND_ApiVersion(&major, &minor));
    if (major != 1 || minor < 19) throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "this Triton's backend API is older");
    check(TRITONBACKEND_BackendSetState(backend, new ov::Core()));
  });
}

TRITONSERVER_Error* TRITONBACKEND_Finalize(TRITONBACKEND_Backend* backend) {
  return guarded([&] { delete &core_of(backend); });
}

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* model) {
  return guarded([&] {
    TRITONBACKEND_Backend* backend;
    const char *name, *folder;
    uint64_t version;
    TRITONBACKEND_ArtifactType type;
    check(TRITONBACKEND_ModelBackend(model, &backend));
    check(TRITONBACKEND_ModelName(model, &name));
    check(TRITONBACKEND_ModelVersion(model, &version));
    check(TRITONBACKEND_ModelRepository(model, &type, &folder));
    const auto path = std::string(folder) + "/" + std::to_string(version) + "/model.onnx";
    auto network = std::make_unique<Network>(core_of(backend), path);
    network->check_configuration(configuration_of(model));
    check(TRITONBACKEND_ModelSetState(model, network.get()));
    network.release();
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* model) {
  return guarded([&] { delete network_of(model); });
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(
    TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests, uint32_t count) {
  return guarded([&] {
    TRITONBACKEND_Model* model;
    check(TRITONBACKEND_ModelInstanceModel(instance, &model));
    network_of(model)->execute(instance, requests, count);
  });
}
