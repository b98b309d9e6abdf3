// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "host/console_table.hpp"
#include "host/log.hpp"
#include "host/printable.hpp"
#include "host/progress.hpp"
#include "host/text_table.hpp"

using namespace ipcmark;
using namespace ipcmark::host;

TEST_CASE("text is shown as it is") {
    CHECK(printable("module 'uds': größer als 1 MiB, \\ and \xE2\x82\xAC") ==
          "module 'uds': größer als 1 MiB, \\ and \xE2\x82\xAC");
    CHECK(printable("").empty());
    CHECK(printable("\xC2\xA0") == "\xC2\xA0"); // the first character behind the control characters
}

TEST_CASE("control characters and bytes that are no text are shown, not sent") {
    CHECK(printable("\033[2J") == "\\x1b[2J");
    CHECK(printable("a\r\a\b\x7f") == "a\\x0d\\x07\\x08\\x7f");
    CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(printable("\xC2\x9B"
                    "31m") == "\\u009b31m");
    CHECK(printable("\x9b"
                    "31m\xff") == "\\x9b31m\\xff");
    CHECK(printable("\xE2\x82") == "\\xe2\\x82"); // cut off
    CHECK(printable("a\tb\n") == "a\\x09b\\x0a");
    CHECK(printable("a\tb\n\033", Lines::several) == "a\tb\n\\x1b");
    CHECK(printable(printable("\033\n")) == printable("\033\n"));
}

TEST_CASE("every piece of output takes a stranger's text") {
    CHECK(one_line("a\nb\033c\n") == "a b\\x1bc");
    CHECK(styled("\033[0m", Style::red, Colour::none) == "\\x1b[0m");
    CHECK(styled("\033[0m", Style::red, Colour::ansi) == "\033[31m\\x1b[0m\033[0m");
    CHECK(paragraph("\033", "a \033 b\nc", Style::plain, Colour::none) == "\\x1b a \\x1b b c\n");
    TextTable table;
    table.add_column("a", Align::left);
    table.add_column("b", Align::left);
    table.add_row({{"\033"}, {"\n"}});
    CHECK(table.text(Colour::none) == "a     b\n\\x1b  \\x0a\n");
    TestPlan test;
    test.mechanism = "./\033.so";
    CHECK(progress_line(test, Progress{}, 200).find('\033') == std::string::npos);
}
