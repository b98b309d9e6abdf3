// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace ipcmark {

// When a run goes wrong both workers complain, one of them only because of the other. The higher kind is the cause.
enum class CauseKind { consequence = 1, fault = 2, death = 3 };

class FailureCause {
public:
    void note(CauseKind kind, std::string text) {
        if (text_ && kind <= kind_)
            return;
        kind_ = kind;
        text_ = std::move(text);
    }
    [[nodiscard]] bool found() const noexcept { return text_.has_value(); }
    // Worth waiting a little for the other side's word: it may know better.
    [[nodiscard]] bool may_improve() const noexcept { return found() && kind_ != CauseKind::death; }
    [[nodiscard]] const std::optional<std::string>& text() const noexcept { return text_; }

private:
    CauseKind kind_ = CauseKind::consequence;
    std::optional<std::string> text_;
};

} // namespace ipcmark
