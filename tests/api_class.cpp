/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public header as C++ sees it: handles in unique_ptr, errors as exceptions, callbacks into a std::function, and
 * a match between two parties of this process, one blocking, one stepped.
 */
#include <cstdio>
#include <functional>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <tally.h>
#include <thread>
#include <vector>

namespace {

struct failure : std::runtime_error {
    tally_status status;
    explicit failure(const tally_error &error) : std::runtime_error(error.message), status(error.status) {}
};

template <typename Call> void check(Call call)
{
    tally_error error{};
    if (call(&error) != TALLY_OK)
        throw failure(error);
}

struct release {
    void operator()(tally_input *p) const { tally_input_free(p); }
    void operator()(tally_session *p) const { tally_session_free(p); }
};
using input_ptr = std::unique_ptr<tally_input, release>;
using session_ptr = std::unique_ptr<tally_session, release>;

class pipe_ends {
public:
    pipe_ends() { check([this](tally_error *e) { return tally_pipe_new(&end_[0], &end_[1], e); }); }
    ~pipe_ends()
    {
        tally_pipe_free(&end_[0]);
        tally_pipe_free(&end_[1]);
    }
    pipe_ends(const pipe_ends &) = delete;
    pipe_ends &operator=(const pipe_ends &) = delete;
    const tally_transport *operator[](int i) const { return &end_[i]; }

private:
    tally_transport end_[2]{};
};

class party {
public:
    party(tally_role role, const std::vector<std::string> &rows, const tally_transport *transport)
    {
        tally_input *input = nullptr;
        tally_session *session = nullptr;
        check([&](tally_error *e) { return tally_input_new(&input, e); });
        input_.reset(input);
        check([&](tally_error *e) { return tally_input_add_key(input, "id", nullptr, e); });
        for (const auto &row : rows) {
            const tally_text key = {row.data(), row.size()};
            check([&](tally_error *e) { return tally_input_add_row(input, &key, 1, e); });
        }
        check([&](tally_error *e) { return tally_session_new(&session, e); });
        session_.reset(session);
        tally_session_set_role(session, role);
        tally_session_set_input(session, input);
        tally_session_set_transport(session, transport, 0, 0);
        tally_session_on_match(session, on_match, this);
    }
    void run()
    {
        check([this](tally_error *e) { return tally_session_run(session_.get(), e); });
    }
    void loop()
    {
        check([this](tally_error *e) { return tally_session_start(session_.get(), e); });
        check([this](tally_error *e) {
            tally_status st;
            do {
                pollfd p = {tally_session_poll_fd(session_.get()), POLLIN, 0};
                poll(&p, 1, tally_session_deadline_ms(session_.get()));
                st = tally_session_step(session_.get(), e);
            } while (st == TALLY_IN_PROGRESS);
            return st;
        });
    }
    tally_session *session() const { return session_.get(); }
    std::function<void(uint64_t)> matched;

private:
    static int on_match(void *user, uint64_t row, uint64_t)
    {
        auto *self = static_cast<party *>(user);
        if (self->matched)
            self->matched(row);
        return 0;
    }
    input_ptr input_;
    session_ptr session_; /* freed before the input that it borrows */
};

bool match()
{
    pipe_ends ends;
    std::vector<uint64_t> rows;
    party bank(TALLY_RECEIVER, {"Ångström", "b", "c", "d"}, ends[0]);
    party court(TALLY_SENDER, {"d", "Ångström", "x"}, ends[1]);
    bank.matched = [&](uint64_t row) { rows.push_back(row); };
    std::thread other([&] { court.run(); });
    bank.loop();
    other.join();
    return rows == std::vector<uint64_t>{1, 4} && tally_session_error(bank.session())->status == TALLY_OK;
}

bool refused()
{
    try {
        pipe_ends ends;
        party nobody(TALLY_RECEIVER, {"a"}, ends[0]);
        tally_session_set_timeout(nobody.session(), 0);
        nobody.run();
    } catch (const failure &f) {
        return f.status == TALLY_ERR_USAGE && std::string(f.what()).find("timeout") != std::string::npos;
    }
    return false;
}

} // namespace

int main()
{
    int failed = 0;
    static_assert(TALLY_VERSION_NUMBER >= 100, "one number");
    if (tally_version_number() != TALLY_VERSION_NUMBER)
        failed += std::puts("the header is not the library's") >= 0;
    if (!match())
        failed += std::puts("the match is not right") >= 0;
    if (!refused())
        failed += std::puts("a wrong setting was not refused") >= 0;
    return failed;
}
