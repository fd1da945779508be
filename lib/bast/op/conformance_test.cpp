// SPDX-License-Identifier: Apache-2.0
//
// The suite for ops (bast/testing/op_conformance.hpp), of the kinds of object that layer op knows;
// and of ops that are wrong, which it must notice.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "bast/op.hpp"
#include "bast/testing/op_conformance_threads.hpp"
#include "bast/testing/op_subjects.hpp"

namespace bast::test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Receive, OpConformance, receive_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Send, OpConformance, send_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(OnceEvent, OpConformance, once_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Retry, OpConformance, retry_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(RetryOpen, OpConformance, open_subject);

// --- ops that are wrong --------------------------------------------------------------------------

/// The failures of one check.
template <class Subject>
int failures_of(void (op_checks<Subject>::*check)()) {
  testing::TestPartResultArray failures;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    op_checks<Subject> checks;
    (checks.*check)();
  }
  return failures.size();
}

struct takes_when_built : retry_subject {
  static auto op(object& of) {
    return retry_on(of.queue, [&of, has = of.take()]() noexcept { return has || of.take(); });
  }
};
struct forgets_to_wake : retry_subject {
  static void make_ready(object& of) {
    of.queue.locked([&of]() noexcept { ++of.left; });
  }
};
struct drops_when_it_loses : retry_subject {
  static auto op(object& of) {
    return on_abort(retry_subject::op(of), [&of]() noexcept { (void)of.take(); });
  }
};
struct allocates : retry_subject {
  static auto op(object& of) {
    return retry_on(of.queue, [&of]() noexcept {
      os::deallocate(os::allocate(8));
      return of.take();
    });
  }
};
/// Links in phase 1.
struct links_early : once_subject {
  struct leaf_base : bast::internal::basic_leaf<bast::internal::real_traits> {
    using performer = bast::internal::basic_performer<bast::internal::real_traits>;
    explicit leaf_base(links_early& of) : of_(of) {}
    bool looks_ready() const noexcept final { return true; }
    bast::internal::progress attempt(performer& who) final {
      if (!node.linked) who.link(*this, of_.list);
      return bast::internal::progress::none;
    }
    bast::internal::progress enlist(performer& who) final { return attempt(who); }
    void delist() noexcept final { this->unlink(of_.lock, of_.list); }
    links_early& of_;

   protected:
    ~leaf_base() = default;
  };
  struct leaf final : leaf_base {
    using leaf_base::leaf_base;
  };
  using object = links_early;
  struct early {
    using value_type = void;
    links_early* of;
    template <class Traits>
    struct plan : bast::internal::leaf_plan<leaf> {
      explicit plan(early op) : plan::leaf_plan(*op.of) {}
      [[nodiscard]] result<void> take(const bast::internal::basic_leaf<Traits>* /*chosen*/) {
        return {};
      }
    };
  };
  static early op(object& of) { return {&of}; }
  static void make_ready(object& /*of*/) {}
  static std::size_t waiting(object& of) { return of.list.size(); }

  bast::internal::lock_of<bast::internal::real_traits> lock;
  bast::internal::wait_list_of<bast::internal::real_traits> list;
};

TEST(OpConformanceSuite, NoticesOpsThatAreWrong) {
  using wrong_building = op_checks<takes_when_built>;
  EXPECT_GT(failures_of<takes_when_built>(&wrong_building::building_does_nothing), 0);
  using wrong_wake = op_checks<forgets_to_wake>;
  EXPECT_GT(failures_of<forgets_to_wake>(&wrong_wake::one_readiness_commits_one_perform), 0);
  EXPECT_GT(failures_of<forgets_to_wake>(&wrong_wake::two_arms_of_one_perform_commit_once), 0);
#if BAST_EXCEPTIONS  // Else the coroutine that waits in vain outlives what it waits for.
  EXPECT_GT(failures_of<forgets_to_wake>(&wrong_wake::an_arm_that_loses_is_told), 0);
#endif
  using wrong_loss = op_checks<drops_when_it_loses>;
  EXPECT_GT(failures_of<drops_when_it_loses>(&wrong_loss::a_cancel_takes_nothing_from_a_commit), 0);
  EXPECT_GT(failures_of<drops_when_it_loses>(
                &wrong_loss::what_a_cancelled_perform_was_woken_for_is_passed_on),
            0);
  using wrong_memory = op_checks<allocates>;
  EXPECT_GT(failures_of<allocates>(&wrong_memory::nothing_is_allocated_once_it_waits), 0);
  using wrong_links = op_checks<links_early>;
  EXPECT_GT(failures_of<links_early>(&wrong_links::nothing_is_linked_while_arms_are_tried), 0);
}

}  // namespace
}  // namespace bast::test
